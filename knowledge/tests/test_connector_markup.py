"""XML from outside: harmless whatever it is, and plain once it is read."""

import time

import pytest

from knowledge.connectors.markup import parse, text_of
from knowledge.errors import AnswerUnreadable

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
MATH = 'xmlns:mml="http://www.w3.org/1998/Math/MathML"'


@pytest.mark.parametrize(
    "body",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x>&l9;</x>'.encode(),
        f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><x a="&l9;"/>'.encode(),
        b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        b'<!DOCTYPE x [<!ENTITY % f SYSTEM "http://127.0.0.1:9/x.dtd"> %f;]><x/>',
        b"<x>" * 200_000,
        b"<x>" * 300 + b"</x>" * 300,
        b"",
        b"not XML",
        b"<x>",
        b"<x>&undefined;</x>",
        b"<x>\x01</x>",
        b"\xff\xfe<\x00x\x00",
    ],
)
def test_hostile_documents_are_refused_quickly(body):
    began = time.monotonic()
    with pytest.raises(AnswerUnreadable):
        parse(body)
    assert time.monotonic() - began < 2


def test_a_doctype_that_only_names_its_dtd_is_no_reason_to_refuse():
    assert parse(b'<!DOCTYPE a PUBLIC "-//NLM//DTD" "https://dtd.nlm.nih.gov/a.dtd"><a>b</a>').text == "b"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("CO<sub>2</sub>", "CO2"),
        ("10<sup>9</sup>/L", "10^9/L"),
        ("10<sup>-3</sup>", "10^-3"),
        ("(5)<sup>2</sup>", "(5)^2"),
        ("Ca<sup>2+</sup> in cm<sup>2</sup>", "Ca2+ in cm2"),
        ("<sup>18</sup>F-FDG", "18F-FDG"),
        ("<i>in  vitro</i>\n<b>and <u>more</u></b>", "in vitro and more"),
        ("p <i>&lt;</i> 0.05 &amp; q", "p < 0.05 & q"),
        (f"<mml:math {MATH}><mml:msub><mml:mi>x</mml:mi><mml:mi>i</mml:mi></mml:msub></mml:math>", "x_i"),
        (f"<mml:math {MATH}><mml:msup><mml:mn>10</mml:mn><mml:mn>6</mml:mn></mml:msup></mml:math>", "10^6"),
        (
            f"a <mml:math {MATH}><mml:mfrac><mml:mi>a</mml:mi><mml:mi>b</mml:mi></mml:mfrac></mml:math> b",
            "a a/b b",
        ),
        ("<!-- c -->a<?pi x?>b", "ab"),
        ("", ""),
    ],
)
def test_inline_markup_becomes_text_that_means_the_same(markup, text):
    assert text_of(parse(f"<title>{markup}</title>".encode())) == text
