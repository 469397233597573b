"""Making a document from anybody safe to hand to a parser.

One cheap pass over the markup, before any tree or handler exists: the DOCTYPE goes (small plain entities are
kept), depth and number of elements are limited, and a document with thousands of entries is closed after the
first few hundred, so that nobody pays for the rest.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.parsers import expat

from publishing.feeds.errors import FeedTooComplex

MAX_DEPTH = 256
MAX_ELEMENTS = 100_000
MAX_ENTRIES = 300
MAX_ATTRIBUTES = 200
#: Most elements of the kinds that feedparser compares with all earlier ones of the same entry.
MAX_LABELS = 1_000
#: Limits of documents that are not well-formed: characters, and `<` and `&` together.
MAX_BROKEN_CHARS = 2_000_000
MAX_BROKEN_SIGNS = 50_000
_UNFINISHED_TAG = re.compile(r"<[^<>]{20000}")
_LABELS = frozenset({"category", "subject", "keywords", "tags"})
_LONGEST_TAG = 100_000
_MAX_ENTITIES = 50
_MAX_ENTITY_CHARS = 200
_MAX_EXPANSION_CHARS = 1_000_000

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_TAG = re.compile(r"<(?:(!--)|(!\[CDATA\[)|(\?)|(/?)([A-Za-z_][^\s/<>]*+)([^<>]*+)>)")
_ENDS = {1: "-->", 2: "]]>", 3: "?>"}
_ENTITY = re.compile(
    r"""<!ENTITY\s+([A-Za-z_][\w.\-]{0,40})\s+(?:"([^"&%<]*)"|'([^'&%<]*)'|"(&\#\w{1,8};)")\s*>"""
)
_PROLOG_PART = re.compile(r"\s*+(<!--|<\?|<!doctype\b)", re.IGNORECASE)
_DOCTYPE_SIGN = re.compile(r"""<!--|["'\[\]>]""")
_DOCTYPE_CLOSERS = {"<!--": "-->", '"': '"', "'": "'"}
_ANOTHER_ENTRY = re.compile(r"<(?:\w{1,20}:)?(?:item|entry)[\s>]")
_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]+)|([0-9]+));?")
_PREDEFINED = {"amp", "lt", "gt", "quot", "apos"}

#: HTML elements that have no end tag, or whose end tag most people leave out.
_UNCLOSED = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "dd",
        "dt",
        "embed",
        "hr",
        "img",
        "input",
        "li",
        "meta",
        "option",
        "p",
        "param",
        "source",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "track",
        "wbr",
    ]
)


def legal(text: str) -> str:
    """The text without characters that XML forbids and databases refuse: NUL, other controls, lone surrogates."""
    return _ILLEGAL.sub("", text)


@dataclass(frozen=True)
class Tag:
    kind: Literal["open", "close", "empty", "unfinished"]
    #: As written, prefix included; "" for something unfinished.
    name: str
    start: int
    end: int


@dataclass(frozen=True)
class Hardened:
    text: str
    #: True when entries beyond the limit were left out.
    is_cut: bool


def tags(text: str) -> Iterator[Tag]:
    """The element tags of a document in linear time, whatever it is; comments, CDATA and instructions are skipped.

    Ends with one `unfinished` tag if a comment, CDATA section or instruction never ends.
    """
    position = 0
    while match := _TAG.search(text, position):
        skipped = match.lastindex if match.lastindex in _ENDS else None
        if skipped is not None:
            end = text.find(_ENDS[skipped], match.end())
            if end < 0:
                yield Tag("unfinished", "", match.start(), len(text))
                return
            position = end + len(_ENDS[skipped])
            continue
        position = match.end()
        if match[4]:
            yield Tag("close", match[5], match.start(), position)
        else:
            yield Tag("empty" if match[6].endswith("/") else "open", match[5], match.start(), position)


def is_too_deep(html: str, limit: int = MAX_DEPTH) -> bool:
    """Whether HTML nests so deeply, or has so many elements, that a tree builder would choke on it."""
    if len(html) <= _LONGEST_TAG and html.count("<") <= limit:
        return False  # it cannot be, and most texts end here
    stack: list[str] = []
    for number, tag in enumerate(tags(html)):
        _track(stack, tag)
        if len(stack) > limit or number > MAX_ELEMENTS or tag.end - tag.start > _LONGEST_TAG:
            return True
    return False


def _track(stack: list[str], tag: Tag) -> None:
    """Keep the stack of open elements the way a forgiving HTML parser would."""
    if tag.kind == "open":
        if tag.name.lower() not in _UNCLOSED:
            stack.append(tag.name)
    elif tag.kind == "close" and tag.name in stack:
        while stack.pop() != tag.name:
            pass


def harden(text: str, *, max_entries: int = MAX_ENTRIES) -> Hardened:
    """The document without illegal characters, DOCTYPE and excess entries, as XML declared to be UTF-8.

    Raises FeedTooComplex for documents that nest deeper than 256 elements or have more than 100,000.
    """
    text = legal(text)
    start, doctype = _prolog(text)
    body = text[start:]
    end, closing, is_cut = _measure(body, max_entries)
    entities = _kept_entities(doctype, body)
    head = "\n".join(["<!DOCTYPE feed [", *entities, "]>", ""]) if entities else ""
    document = f'<?xml version="1.0" encoding="utf-8"?>\n{head}{body[:end]}{closing}'
    if not _is_well_formed(document):
        _refuse_costly_repair(document)
        document = _with_legal_references(document)
    return Hardened(document, is_cut)


def _is_well_formed(document: str) -> bool:
    """Whether the strict parser will get to the end; without handlers, expat needs about 10 ms a megabyte."""
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(document, True)
    except expat.ExpatError:
        return False
    return True


def _refuse_costly_repair(document: str) -> None:
    """The lenient parser works in Python, sign by sign: what it may be given is limited."""
    signs = document.count("<") + document.count("&")
    if len(document) > MAX_BROKEN_CHARS or signs > MAX_BROKEN_SIGNS or _UNFINISHED_TAG.search(document):
        raise FeedTooComplex("The document is not well-formed, and too large to be repaired.")


def _with_legal_references(document: str) -> str:
    """The document without references to characters that do not exist; halves of emoji are put together."""
    halves = False

    def replaced(match: re.Match[str]) -> str:
        nonlocal halves
        digits = match[1] or match[2]
        code = int(digits, 16 if match[1] else 10) if len(digits) < 10 else sys.maxunicode + 1
        if 0xD800 <= code <= 0xDFFF:
            halves = True
            return chr(code)
        return match[0] if code <= sys.maxunicode and not _ILLEGAL.match(chr(code)) else ""

    document = _REFERENCE.sub(replaced, document)
    return document.encode("utf-16", "surrogatepass").decode("utf-16", "ignore") if halves else document


def _measure(body: str, max_entries: int) -> tuple[int, str, bool]:
    """Where to end the document, the tags that then close it, and whether entries were left out."""
    stack: list[str] = []
    entries = labels = 0
    for number, tag in enumerate(tags(body)):
        if tag.kind == "unfinished":
            return tag.start, _closing(stack), False
        _track(stack, tag)
        local_name = tag.name.rpartition(":")[2].lower()
        labels += tag.kind != "close" and local_name in _LABELS
        if len(stack) > MAX_DEPTH:
            raise FeedTooComplex(f"The document nests deeper than {MAX_DEPTH} elements.")
        if number >= MAX_ELEMENTS or labels > MAX_LABELS:
            raise FeedTooComplex(
                f"The document has more than {MAX_ELEMENTS:,} elements or {MAX_LABELS:,} labels."
            )
        if tag.end - tag.start > MAX_ATTRIBUTES and body.count("=", tag.start, tag.end) > MAX_ATTRIBUTES:
            raise FeedTooComplex(f"An element has more than {MAX_ATTRIBUTES} attributes.")
        if tag.kind == "close" and local_name in {"item", "entry"}:
            labels = 0
            entries += 1
            if entries == max_entries:
                more = _ANOTHER_ENTRY.search(body, tag.end)
                return (tag.end, _closing(stack), True) if more else (len(body), "", False)
    return len(body), "", False


def _closing(stack: list[str]) -> str:
    return "".join(f"</{name}>" for name in reversed(stack))


def without_doctype(text: str) -> str:
    """The document from its first element on, without characters that XML forbids: no entity is declared there."""
    text = legal(text)
    return text[_prolog(text)[0] :]


def _prolog(text: str) -> tuple[int, str]:
    """Where the document's first element begins, and the DOCTYPE before it."""
    position, doctype = 0, ""
    while match := _PROLOG_PART.match(text, position):
        start = match.start(1)
        if match[1] == "<!--":
            end = text.find("-->", match.end()) + 3
        elif match[1] == "<?":
            end = text.find("?>", match.end()) + 2
        else:
            end = _doctype_end(text, start)
            doctype = text[start:end]
        if end <= start:
            return start, doctype
        position = end
    return position, doctype


def _doctype_end(text: str, start: int) -> int:
    """Just behind the `>` that ends a DOCTYPE, minding quotes, comments and the internal subset."""
    position, in_subset = start, False
    while match := _DOCTYPE_SIGN.search(text, position):
        sign, position = match[0], match.end()
        if closer := _DOCTYPE_CLOSERS.get(sign):
            end = text.find(closer, position)
            if end < 0:
                break
            position = end + len(closer)
        elif sign == ">" and not in_subset:
            return position
        elif sign != ">":
            in_subset = sign == "["
    return len(text)


def _kept_entities(doctype: str, body: str) -> list[str]:
    """Declarations of the entities that are short, plain and cheap to expand; all others are as if never declared."""
    declared: dict[str, str] = {}
    for match in _ENTITY.finditer(doctype):
        value = next(group for group in match.groups()[1:] if group is not None)
        if match[1] not in _PREDEFINED and len(value) <= _MAX_ENTITY_CHARS:
            declared.setdefault(match[1], value)
        if len(declared) == _MAX_ENTITIES:
            break
    expansion = sum(len(value) * body.count(f"&{name};") for name, value in declared.items())
    if expansion > _MAX_EXPANSION_CHARS:
        return []
    return [f'<!ENTITY {name} "{value}">' for name, value in declared.items() if '"' not in value]
