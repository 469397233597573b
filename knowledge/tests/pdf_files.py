"""PDF files, made by hand: good ones, and some that are made to harm their reader."""

import io
import zlib
from collections.abc import Sequence

from pypdf import PdfReader, PdfWriter


def pdf(pages: Sequence[str], *, title: str = "", language: str = "", compress: bool = True) -> bytes:
    """Lines of text on pages; an empty page has none."""
    first = 4
    kids = " ".join(f"{first + 2 * number} 0 R" for number in range(len(pages)))
    lang = f" /Lang ({language})" if language else ""
    objects: list[bytes] = [
        f"<< /Type /Catalog /Pages 2 0 R{lang} >>".encode(),
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, page in enumerate(pages):
        content = _shown(page)
        data = zlib.compress(content) if compress else content
        how = b" /Filter /FlateDecode" if compress else b""
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            b"/Contents %d 0 R >>" % (first + 2 * number + 1)
        )
        objects.append(b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), how, data))
    info = b""
    if title:
        objects.append(b"<< /Title (%s) >>" % _escaped(title))
        info = b" /Info %d 0 R" % len(objects)
    return assembled(objects, info)


def assembled(objects: Sequence[bytes], more: bytes = b"") -> bytes:
    """A file of these objects; the first is the catalogue."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for place in places:
        out += b"%010d 00000 n \n" % place
    out += b"trailer\n<< /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        more,
        table,
    )
    return bytes(out)


def locked(content: bytes, password: str) -> bytes:
    """The same file, encrypted; with an empty password anybody may read it."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(content)))
    writer.encrypt(password, owner_password="the owner's", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def scan(pages: int = 1) -> bytes:
    """Pages that show a picture and no text."""
    picture = b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>\nstream\n\x00\nendstream"
    kids = b" ".join(b"%d 0 R" % (4 + number) for number in range(pages))
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, pages),
            picture,
            *[b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << /XObject << /I 3 0 R >> >> >>"]
            * pages,
        ]
    )


def bomb(times: int = 1000) -> bytes:
    """One page of a few hundred kilobytes whose content unpacks to `times` megabytes."""
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(b" " * 1_000_000) for _ in range(times)) + packer.flush()
    return _of_one_stream(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(data), data))


def bomb_in_bomb() -> bytes:
    """Packed twice: what unpacks to little unpacks again to much."""
    inner = zlib.compress(b" " * 200_000_000, 9)
    data = zlib.compress(inner, 9)
    return _of_one_stream(
        b"<< /Length %d /Filter [/FlateDecode /FlateDecode] >>\nstream\n%s\nendstream" % (len(data), data)
    )


def many_pages(count: int = 2_000_000_000) -> bytes:
    """Says that it has as many pages, and has one."""
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count %d >>" % count,
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        ]
    )


def wide_tree(width: int = 30, depth: int = 8) -> bytes:
    """Each node of the tree of pages names the next one thirty times: 30**8 pages in a kilobyte."""
    nodes = [
        b"<< /Type /Pages /Kids [%s] /Count 1 >>" % (b"%d 0 R " % (number + 3) * width)
        for number in range(depth)
    ]
    leaf = b"<< /Type /Page /MediaBox [0 0 9 9] >>"
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", *nodes, leaf])


def ring() -> bytes:
    """A tree of pages that leads back to itself."""
    return assembled(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>"]
    )


def deep_array(depth: int = 100_000) -> bytes:
    """Brackets within brackets."""
    return _of_one_stream(b"<< /Length 1 /Deep %s%s >>\nstream\n \nendstream" % (b"[" * depth, b"]" * depth))


def busy_page(lines: int = 600_000) -> bytes:
    """A page that takes long: hundreds of thousands of lines, each moved a little."""
    data = zlib.compress(b"BT /F1 1 Tf " + b"1 0 0 1 0 1 cm (x) Tj " * lines + b"ET", 9)
    return _of_one_stream(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(data), data))


def _of_one_stream(stream: bytes) -> bytes:
    return assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>",
            stream,
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def _shown(page: str) -> bytes:
    lines = b" T* ".join(b"(%s) Tj" % _escaped(line) for line in page.splitlines())
    return b"BT /F1 11 Tf 14 TL 50 750 Td %s ET" % lines if lines else b""


def _escaped(text: str) -> bytes:
    data = text.encode("cp1252")
    return data.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
