"""PDF files."""

import io
import re
from collections.abc import Iterator

from pypdf import PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from knowledge.readers import characters
from knowledge.readers.base import Book, Reader
from knowledge.readers.errors import TooMuch, UnreadableFile
from knowledge.readers.registry import register

_MARK = b"%PDF-"
_LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st", "\xa0": " "}
)
#: A word that was divided at the end of a line.
_DIVIDED = re.compile(r"(?<=[^\W\d_]{2})[-\u2010\xad]\n(?=[a-zß-öø-ÿ]{2})")
#: What programs put there for want of a title.
_NO_TITLE = re.compile(
    r"(microsoft \w+ - .*|untitled.*|.{0,200}\.(docx?|odt|tex|dvi|indd|qxd|pdf|rtf)|.{0,3})", re.I
)


@register
class Pdf(Reader):
    """The text of a PDF, page by page. Pictures of pages have none."""

    kind = "pdf"
    label = "PDF"
    media_type = "application/pdf"
    extensions = (".pdf",)

    def begins(self, head: bytes) -> bool:
        return head.startswith(_MARK)

    def why_not(self, content: bytes) -> str:
        # Some programs put a few bytes of their own in front.
        return "" if _MARK in content[:1024] else "is no PDF, though its name says so."

    def open(self, content: bytes) -> Book:
        try:
            document = PdfReader(io.BytesIO(content), strict=False)
            if document.is_encrypted and not document.decrypt(""):
                raise UnreadableFile("It is locked with a password: upload it without one.")
            count = len(document.pages)
        except UnreadableFile:
            raise
        except Exception as error:
            raise _translated(error) from error
        if not count:
            raise UnreadableFile("It is damaged: it has no pages.")
        return Book(_title(document), _language(document), count, _pages(document, count))


def _pages(document: PdfReader, count: int) -> Iterator[str]:
    has_text = False
    for number in range(count):
        try:
            text = document.pages[number].extract_text()
        except Exception as error:
            raise _translated(error, f"Page {number + 1}: ") from error
        text = _DIVIDED.sub("", characters.clean(text.translate(_LIGATURES)))
        has_text = has_text or bool(text)
        yield text
    if not has_text:
        what = "its page is a picture" if count == 1 else f"its {count:,} pages are pictures"
        raise UnreadableFile(f"It has no text: a scan, {what}. Run a text recognition (OCR) over it first.")


def _title(document: PdfReader) -> str:
    """What the file calls itself, unless that is the name of another file."""
    try:
        title = characters.line(document.metadata.title or "" if document.metadata else "")
    except Exception:  # noqa: BLE001 - a title that cannot be read is no reason to refuse the text
        return ""
    return "" if _NO_TITLE.fullmatch(title) else title


def _language(document: PdfReader) -> str:
    try:
        return characters.language(str(document.root_object.get("/Lang") or ""))
    except Exception:  # noqa: BLE001 - like a title
        return ""


def _translated(error: Exception, where: str = "") -> UnreadableFile:
    """What the library says about a file. Broken ones make it raise anything."""
    if isinstance(error, LimitReachedError):
        return TooMuch(f"{where}It holds more than a file may: {str(error).rstrip('.')}.")
    if isinstance(error, RecursionError):
        return TooMuch(f"{where}It is nested too deeply.")
    if isinstance(error, MemoryError):
        return TooMuch(f"{where}Reading it takes more memory than a file may.")
    reason = (str(error) if isinstance(error, PyPdfError) else "") or type(error).__name__
    return UnreadableFile(f"{where}It is damaged: {_sentence(reason)}")


def _sentence(text: str) -> str:
    return characters.line(text, 200).rstrip(".") + "."
