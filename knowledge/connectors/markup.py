"""XML from outside: read without entities and without the network, and turned into plain text."""

import re
from collections.abc import Iterator

from lxml import etree

from knowledge.errors import AnswerUnreadable

MATHML = "{http://www.w3.org/1998/Math/MathML}"
_SPACE = re.compile(r"\s+")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
#: Exponents that would change the number in front of them: 10<sup>9</sup> is not 109.
_RISES_AFTER = re.compile(r"\d\)?$")


def parse(body: bytes) -> etree._Element:
    """The root element of a document. Raises AnswerUnreadable for what is no XML, or declares entities of its own."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise AnswerUnreadable(f"The answer is not XML that can be read: {error}.") from error
    declared = root.getroottree().docinfo.internalDTD
    if declared is not None and any(True for _ in declared.iterentities()):  # type: ignore[union-attr]  # the stubs lack it
        raise AnswerUnreadable("The answer declares entities, which no answer of a service does.")
    return root


def clean(text: str | None) -> str:
    """One line of text without characters that databases refuse."""
    return _SPACE.sub(" ", _ILLEGAL.sub("", text or "")).strip()


def text_of(element: etree._Element | None) -> str:
    """All text of an element as one line, inline markup resolved: italics vanish, exponents of numbers get a "^"."""
    return "" if element is None else clean("".join(_pieces(element, [])))


def _pieces(element: etree._Element, before: list[str]) -> list[str]:
    """The pieces of text, `before` among them, which is how an exponent knows what it stands on."""
    _add(before, element.text)
    for child in element:
        _add_child(before, child)
        _add(before, child.tail)
    return before


def _add(pieces: list[str], text: str | None) -> None:
    if text:
        pieces.append(text)


def _add_child(pieces: list[str], child: etree._Element) -> None:
    name = etree.QName(child).localname
    inner = _math(child) if child.tag.startswith(MATHML) else "".join(_pieces(child, []))
    if name == "sup" and inner.strip() and _RISES_AFTER.search("".join(pieces[-3:])):
        inner = f"^{inner.strip()}"
    _add(pieces, inner)


def _math(element: etree._Element) -> str:
    """A formula in one line: x_i, 10^9, a/b."""
    name = etree.QName(element).localname
    parts = [_math(child) for child in element]
    if name in {"annotation", "annotation-xml"}:
        return ""
    if name == "msup" and len(parts) == 2:
        return f"{parts[0]}^{parts[1]}"
    if name == "msub" and len(parts) == 2:
        return f"{parts[0]}_{parts[1]}"
    if name == "msubsup" and len(parts) == 3:
        return f"{parts[0]}_{parts[1]}^{parts[2]}"
    if name == "mfrac" and len(parts) == 2:
        return f"{parts[0]}/{parts[1]}"
    if name == "msqrt":
        return f"√({''.join(parts)})"
    if name == "mmultiscripts" and parts:
        return _multiscripts(element)
    if parts:
        return "".join(parts)
    text = clean(element.text)
    return f" {text} " if name == "mtext" and text else text or (" " if name in {"mtext", "mspace"} else "")


def _multiscripts(element: etree._Element) -> str:
    """Scripts before and behind a base: 3He is the isotope with its number in front."""
    children = list(element)
    names = [etree.QName(child).localname for child in children]
    split = names.index("mprescripts") if "mprescripts" in names else len(names)
    base, behind, in_front = children[0], children[1:split], children[split + 1 :]
    return "".join([*map(_math, in_front), _math(base), *map(_math, behind)])


def children(element: etree._Element | None, path: str) -> Iterator[etree._Element]:
    """Elements below another by path; none below None."""
    if element is not None:
        yield from element.iterfind(path)
