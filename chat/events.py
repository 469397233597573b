"""Server-sent events, out of the bytes of an answer."""

from collections.abc import Iterable, Iterator


def data_of(pieces: Iterable[bytes]) -> Iterator[str]:
    """The data of each event, as soon as it is whole. Comments and all other fields are left out."""
    data: list[str] = []
    for line in _lines(pieces):
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
    if data:  # some servers do not end the last one
        yield "\n".join(data)


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines without their ends. Bytes are decoded by line, so that no sign is torn apart."""
    rest = bytearray()
    for piece in pieces:
        start = len(rest)
        rest += piece
        while (end := rest.find(b"\n", start)) >= 0:
            yield bytes(rest[:end]).decode(errors="replace").removesuffix("\r").removeprefix("\ufeff")
            del rest[: end + 1]
            start = 0
    if rest:
        yield bytes(rest).decode(errors="replace").removesuffix("\r")
