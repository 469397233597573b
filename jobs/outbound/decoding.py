"""Decompression that stops at a size limit instead of trusting the sender.

httpx inflates a whole chunk before anyone can look at it: 408 kB of gzip become 400 MiB of memory. Here each
step asks zlib for at most so many bytes.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from jobs.outbound.errors import OutboundRejected, OutboundUnavailable

#: What we offer in `Accept-Encoding`.
ACCEPTED = "gzip, deflate"
_STEP_BYTES = 64 * 1024
_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b"


def read_body(chunks: Iterable[bytes], *, encoding: str, max_bytes: int) -> bytes:
    """The whole body, decompressed.

    Raises OutboundRejected as soon as it grows beyond `max_bytes`, before or after decompression, and
    OutboundUnavailable when the packed data is damaged or ends too early.
    """
    return b"".join(read_pieces(chunks, encoding=encoding, max_bytes=max_bytes))


def read_pieces(chunks: Iterable[bytes], *, encoding: str, max_bytes: int) -> Iterator[bytes]:
    """The body as it comes, decompressed; raises what `read_body` raises."""
    total = 0
    for piece in _decompressed(_counted(chunks, max_bytes), encoding):
        total += len(piece)
        if total > max_bytes:
            raise _too_large(max_bytes)
        yield piece


def _too_large(max_bytes: int) -> OutboundRejected:
    return OutboundRejected(f"The answer is larger than the limit of {max_bytes // 1024:,} KiB.")


def _counted(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """The chunks as they come; an endless row of packed blocks with nothing in them ends here."""
    total = 0
    for chunk in chunks:
        total += len(chunk)
        if total > max_bytes:
            raise _too_large(max_bytes)
        yield chunk


def _decompressed(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    coding = encoding.strip().lower()
    if coding in {"", "identity", "none"}:
        return chunks
    if coding in {"gzip", "x-gzip", "deflate"}:
        return _inflated(chunks, coding)
    raise OutboundRejected(f"The answer is packed with {coding!r}, which was not asked for.")


def _inflated(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    start = b""
    while len(start) < 2 and (chunk := next(chunks, b"")):
        start += chunk
    window = _window(start, coding)
    if window is None:  # some servers announce gzip and send plain text
        yield start
        yield from chunks
        return
    inflater = zlib.decompressobj(window)
    try:
        for chunk in chain([start], chunks):
            rest = chunk
            while rest:
                if inflater.eof:
                    if not (window == _GZIP and rest.startswith(_GZIP_MAGIC)):
                        return  # padding after the end
                    inflater = zlib.decompressobj(window)
                yield inflater.decompress(rest, _STEP_BYTES)
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        while not inflater.eof and (piece := inflater.decompress(b"", _STEP_BYTES)):
            yield piece
    except zlib.error as error:
        raise OutboundUnavailable("The packed answer is damaged.") from error
    if not inflater.eof:
        raise OutboundUnavailable("The packed answer ends too early.")


def _window(start: bytes, coding: str) -> int | None:
    """zlib's `wbits` for data that begins so; None for data that is not packed at all."""
    if start.startswith(_GZIP_MAGIC):
        return _GZIP
    if len(start) >= 2 and start[0] & 0x0F == 8 and int.from_bytes(start[:2], "big") % 31 == 0:
        return _ZLIB
    return _RAW if coding == "deflate" and start else None
