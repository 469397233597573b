"""From bytes to text, and text without what no database and no reader wants."""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    # Before UTF-16, whose mark is the beginning of this one.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ufeff\ufffe\uffff\ud800-\udfff]")
_BLANK_END = re.compile(r"[^\S\n]+(?=\n)")
_BLANK_LINES = re.compile(r"\n{3,}")
_NEWLINE = re.compile("\r\n?|[\x85\u2028\u2029\x0b]")
#: What no text has, but for a page break.
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LOOKED_AT = 65536
#: More control characters, and a larger share of them, has no text, not even one in an old encoding.
_FEW, _SHARE = 3, 0.01


def mark_of(content: bytes) -> tuple[bytes, str] | None:
    """The byte order mark that it begins with, and the encoding that it stands for."""
    return next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), None)


def is_text(content: bytes) -> bool:
    """Whether this looks like text in some encoding."""
    if mark_of(content) or _unmarked_utf_16(content):
        return True
    head = content[:_LOOKED_AT]
    return len(_CONTROLS.findall(head)) <= max(_FEW, len(head) * _SHARE)


def decode(content: bytes, declared: str = "") -> str:
    """The text: by its mark, else as declared, else UTF-8, else Windows-1252, which any bytes are text in."""
    if mark := mark_of(content):
        return content[len(mark[0]) :].decode(mark[1], errors="replace")
    for encoding in (_unmarked_utf_16(content), _known(declared), "utf-8"):
        if encoding:
            try:
                return content.decode(encoding)
            except UnicodeError:
                continue
    return content.decode("cp1252", errors="replace")


def clean(text: str) -> str:
    """The text with one kind of line break, at most one blank line at a time, and no invisible characters."""
    text = _ILLEGAL.sub("", _NEWLINE.sub("\n", text))
    return _BLANK_LINES.sub("\n\n", _BLANK_END.sub("", text)).strip()


def line(text: str, longest: int = 300) -> str:
    """The text as one line, cut if it is too long."""
    return " ".join(clean(text).split())[:longest].rstrip()


def language(code: str) -> str:
    """The language of a tag such as en-GB; "" for what is none."""
    first = re.split("[-_]", code.strip().lower(), maxsplit=1)[0]
    return first if re.fullmatch("[a-z]{2,3}", first) else ""


def _known(encoding: str) -> str:
    """The encoding, if Python knows it and it makes text of bytes."""
    try:
        found = codecs.lookup(encoding.strip()) if encoding.strip() else None
    except (LookupError, ValueError):
        return ""
    # The web's Latin-1 is Windows-1252.
    if found is None or not found._is_text_encoding or found.name == "iso8859-1":
        return ""
    return found.name


def _unmarked_utf_16(content: bytes) -> str:
    """UTF-16 without a mark: of mostly Latin text, every other byte is zero."""
    head = content[:1024]
    if len(head) < 4 or len(content) % 2:
        return ""
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > half * 0.7 and even < half * 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > half * 0.7 and odd < half * 0.05 else ""
