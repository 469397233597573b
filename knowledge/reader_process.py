"""Reads one file in a process of its own: `python -m knowledge.reader_process KIND LIMITS < FILE`.

Started by `knowledge.reading`. It has no settings, no database and no secrets, and may use only so much memory and
processor time; what a hostile file breaks is this process. It writes lines of JSON: the book, each page, and the end
or what was wrong.
"""

import json
import logging
import resource
import sys
from dataclasses import asdict, dataclass
from typing import Any

from knowledge import readers
from knowledge.readers import TooMuch, UnreadableFile, characters

#: Bytes that it may write into a file: there is none but the one for complaints.
_SAID = 100_000


@dataclass(frozen=True)
class Limits:
    """What reading one file may take."""

    #: Of the whole process, in bytes.
    memory: int
    #: Of one core.
    seconds: int
    pages: int
    characters: int


def main() -> None:
    """Read standard input as the arguments say."""
    kind, limits = sys.argv[1], Limits(**json.loads(sys.argv[2]))
    _confine(limits)
    # What libraries think of a file goes to nobody; there may be gigabytes of it.
    logging.disable()
    readers.load()
    content = sys.stdin.buffer.read()
    try:
        _read(kind, content, limits)
    except TooMuch as error:
        _tell(error=str(error), is_too_much=True)
    except UnreadableFile as error:
        _tell(error=str(error))
    except MemoryError:
        _tell(error="Reading it takes more memory than a file may.", is_too_much=True)
    except RecursionError:
        _tell(error="It is nested too deeply.", is_too_much=True)


def _confine(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    # At the first limit the process ends; at the second in any case.
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_SAID, _SAID))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def _read(kind: str, content: bytes, limits: Limits) -> None:
    book = readers.get(kind).open(content)
    if (book.page_count or 0) > limits.pages:
        raise TooMuch(f"It has {book.page_count:,} pages; {limits.pages:,} are read at most.")
    _tell(title=book.title, language=book.language, page_count=book.page_count)
    left = limits.characters
    for page in book.pages:
        text = characters.clean(page)
        left -= len(text)
        if left < 0:
            raise TooMuch(
                f"It has more text than the {limits.characters:,} characters that are read at most."
            )
        _tell(page=text)
    _tell(is_end=True)


def _tell(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def as_argument(limits: Limits) -> str:
    """The limits as the second argument."""
    return json.dumps(asdict(limits))


if __name__ == "__main__":
    main()
