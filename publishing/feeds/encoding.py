"""Bytes to text: byte order mark, HTTP charset, XML declaration, meta element, then a guess."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: How `<?xm` looks in encodings that are not a superset of ASCII.
_XML_STARTS = (
    (b"\x00<\x00?", "utf-16-be"),
    (b"<\x00?\x00", "utf-16-le"),
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x4c\x6f\xa7\x94", "cp037"),  # the EBCDIC family; the declaration tells which
)
#: Encodings that are declared where their superset is meant.
_SUPERSETS = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "tis-620": "cp874",
    "iso8859-9": "cp1254",
}
#: Names that are registered but unknown to Python.
_ALIASES = {
    "csmacintosh": "mac-roman",
    "mac": "mac-roman",
    "ms-cyrl": "cp1251",
    "x-sjis": "cp932",
    "unicode": "utf-16",
}
_DECLARATION = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._:\-]{1,40})["']""")
_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9._:\-]{1,40})""", re.IGNORECASE)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^"';\s]+)""", re.IGNORECASE)
_LOOK_BYTES = 2048


@dataclass(frozen=True)
class Decoded:
    text: str
    encoding: str


def decode(body: bytes, content_type: str = "") -> Decoded:
    """The document's text. Never fails: what no candidate can read is replaced by U+FFFD."""
    candidates = list(dict.fromkeys(_candidates(body, content_type)))
    for encoding in candidates:
        try:
            text = body.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
        return Decoded(text.removeprefix("\ufeff"), encoding)
    if _is_mostly_utf8(body):
        return Decoded(body.decode("utf-8", "replace").removeprefix("\ufeff"), "utf-8")
    try:
        return Decoded(body.decode("cp1252"), "cp1252")
    except UnicodeDecodeError:
        return Decoded(body.decode("latin-1"), "latin-1")


def _candidates(body: bytes, content_type: str) -> Iterator[str]:
    marked = _by_first_bytes(body)
    if marked and marked != "cp037":
        yield marked
    if match := _CHARSET.search(content_type):
        yield from _known(match[1])
    ascii_head = body[:_LOOK_BYTES]
    if marked not in {None, "utf-8"}:
        ascii_head = body[: 4 * _LOOK_BYTES].decode(marked, "ignore").encode("ascii", "ignore")
    for pattern in (_DECLARATION, _META):
        if match_in_body := pattern.search(ascii_head):
            yield from _known(match_in_body[1].decode("ascii"))
    yield "utf-8" if marked is None else marked


def _by_first_bytes(body: bytes) -> str | None:
    for mark, encoding in (*_MARKS, *_XML_STARTS):
        if body.startswith(mark):
            return encoding
    return None


def _known(label: str) -> Iterator[str]:
    """The label as Python's name of the codec that is meant; nothing for a label that names no text encoding."""
    try:
        name = codecs.lookup(_ALIASES.get(label.lower(), label)).name
        b"".decode(name)
    except (LookupError, ValueError):
        return
    if superset := _SUPERSETS.get(name):
        yield superset
    yield name


def _is_mostly_utf8(body: bytes) -> bool:
    """Whether a document that is not quite UTF-8 is still more UTF-8 than anything else."""
    ignored = body.decode("utf-8", "ignore")
    wide = sum(1 for _ in re.finditer(r"[^\x00-\x7f]", ignored))
    kept_bytes = len(ignored.encode("utf-8"))
    return wide > len(body) - kept_bytes
