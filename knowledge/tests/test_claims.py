"""Sentences taken apart: numbers with units, names, negations."""

import pytest

from knowledge.answers.claims import claim_of


def numbers(text):
    return [(f"{number.value:f}", number.unit) for number in claim_of(text).numbers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It fell by 21%.", [("21", "%")]),
        ("It fell by 21 percent.", [("21", "%")]),
        ("Doses of 5 mg and 2.5mg were given.", [("5", "mg"), ("2.5", "mg")]),
        ("We followed 4,012 patients over 5 years.", [("4012", ""), ("5", "year")]),
        ("a 10-year-old, and a five-year study", [("10", "year"), ("5", "year")]),
        ("(95% CI 1.2-3.4; P<0.001)", [("95", "%"), ("1.2", ""), ("3.4", ""), ("0.001", "")]),
        ("a change of -0.5 mmol", [("-0.5", "mmol")]),
        ("a change of \N{MINUS SIGN}0\N{MIDDLE DOT}5", [("-0.5", "")]),
        ("1 in 5 million people, twofold, twice", [("1", ""), ("5000000", ""), ("2", "fold"), ("2", "fold")]),
        ("IL-6, COVID-19, p53, H1N1, CD4+ and 3T3 cells", []),
        ("10 \N{MICRO SIGN}g is 10 \N{GREEK SMALL LETTER MU}g is 10 mcg", [("10", "ug")] * 3),
        ("5 mM is not 5 mm", [("5", "mmol/l"), ("5", "mm")]),
    ],
)
def test_numbers_are_read_with_their_units(text, expected):
    assert numbers(text) == expected


def test_names_are_what_is_written_like_names():
    claim = claim_of(
        "Aspirin acts on IL-6, mTOR and TNF-\N{GREEK SMALL LETTER ALPHA} in the Framingham cohort. Then it ends."
    )
    assert set(claim.names.values()) == {"IL-6", "mTOR", "TNF-\N{GREEK SMALL LETTER ALPHA}", "Framingham"}
    assert "tnfalpha" in claim.names


def negated(text):
    return {token.text for token in claim_of(text).tokens if token.is_negated and token.is_telling}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Aspirin does not reduce mortality.", {"reduce", "mortality"}),
        ("Aspirin reduces mortality, but not bleeding.", {"bleeding"}),
        ("No effect on stroke was seen; mortality fell.", {"effect", "stroke", "seen"}),
        ("Mortality was unaffected.", {"Mortality"}),
        ("It doesn't help.", {"help"}),
        ("It helps not only adults.", set()),
        ("Patients with heart failure improved.", set()),
    ],
)
def test_negations_reach_as_far_as_their_clause(text, expected):
    assert negated(text) == expected
