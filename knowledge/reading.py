"""Reading an uploaded file: in a process of its own, which may take only so much time and memory.

A file from anybody may be made to harm whoever reads it: a few kilobytes that unpack to gigabytes, a tree of pages
that leads back to itself, tables that take hours. What it breaks then is not the worker.
"""

import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings

from knowledge.reader_process import Limits, as_argument
from knowledge.readers import ReadingStopped, TooMuch, UnreadableFile

logger = logging.getLogger(__name__)

#: More characters are no document that people read: a thousand times a long article.
MOST_CHARACTERS = 30_000_000
#: Between pages in the text.
_BETWEEN = "\n\n"
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Reading:
    """What was read."""

    #: As the file itself says; "" when it does not.
    title: str
    #: An ISO 639 code; "" when the file does not say.
    language: str
    text: str
    #: Where in the text each page begins; empty for formats without pages.
    pages: list[int]
    #: Numbers of pages that have no text, from 1 on.
    empty_pages: list[int]


def limits() -> Limits:
    """What the settings allow."""
    return Limits(
        memory=settings.DOCUMENT_READING_MB * 1024 * 1024,
        seconds=int(settings.DOCUMENT_READING_SECONDS),
        pages=settings.DOCUMENT_MAX_PAGES,
        characters=MOST_CHARACTERS,
    )


def read(
    kind: str,
    content: bytes | memoryview,
    *,
    tell: Callable[[int, int | None], None] = lambda page, count: None,
    allowed: Limits | None = None,
) -> Reading:
    """Read a file of a kind of reader.

    `tell` is called with the pages that are read and all there are (None if there are none), and several times a second
    without news; what it raises ends the reading. Raises UnreadableFile, and ReadingStopped when somebody ended it.
    """
    allowed = allowed or limits()
    pages: list[str] = []
    book: dict[str, Any] = {}
    with _reader(kind, content, allowed) as process:
        for said in _lines(process, allowed, lambda: tell(len(pages), book.get("page_count"))):
            if "error" in said:
                raise (TooMuch if said.get("is_too_much") else UnreadableFile)(said["error"])
            if "page" in said:
                pages.append(said["page"])
            elif "page_count" in said:
                book.update(said)
            elif "is_end" in said:
                return _put_together(book, pages)
    raise _ended_early(process, allowed)


def _put_together(book: dict[str, Any], pages: list[str]) -> Reading:
    if not any(pages):
        raise UnreadableFile("It has no text.")
    starts, at = [], 0
    for page in pages:
        starts.append(at)
        at += len(page) + len(_BETWEEN)
    has_pages = book["page_count"] is not None
    return Reading(
        title=book["title"],
        language=book["language"],
        text=_BETWEEN.join(pages),
        pages=starts if has_pages else [],
        empty_pages=[number for number, page in enumerate(pages, start=1) if not page] if has_pages else [],
    )


@contextmanager
def _reader(kind: str, content: bytes | memoryview, allowed: Limits) -> Iterator[subprocess.Popen[bytes]]:
    """The process, which does not outlive the block."""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as complaints:
        file.write(content)
        file.seek(0)
        process = subprocess.Popen(  # noqa: S603 - our own module, with a kind of ours
            [sys.executable, "-E", "-s", "-m", "knowledge.reader_process", kind, as_argument(allowed)],
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=complaints,
            cwd=settings.BASE_DIR,
            # None of our secrets.
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            yield process
            process.wait(timeout=5)
            _log(complaints, process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _lines(
    process: subprocess.Popen[bytes], allowed: Limits, look: Callable[[], None]
) -> Iterator[dict[str, Any]]:
    """What the process says, until it says no more."""
    if process.stdout is None:
        raise ValueError("The process has no output to listen to.")
    # Waiting counts, too: on a busy machine it gets less than a core.
    until = time.monotonic() + 3 * allowed.seconds
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            look()
            if time.monotonic() > until:
                raise TooMuch(_too_slow(allowed))
            if not selector.select(_LOOK_SECONDS):
                continue
            data = os.read(process.stdout.fileno(), 1 << 20)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from map(json.loads, lines)


def _ended_early(process: subprocess.Popen[bytes], allowed: Limits) -> Exception:
    code = process.returncode
    if code == -signal.SIGXCPU:
        return TooMuch(_too_slow(allowed))
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP):
        return ReadingStopped(
            f"The process that read it was ended from outside ({signal.Signals(-code).name})."
        )
    return UnreadableFile("It is damaged in a way that ends the program that reads it.")


def _too_slow(allowed: Limits) -> str:
    return f"Reading it takes more than the {allowed.seconds:,} seconds that a file may."


def _log(complaints: IO[bytes], process: subprocess.Popen[bytes]) -> None:
    """A reader that broke is worth a look."""
    complaints.seek(0)
    if process.returncode and (said := complaints.read(8000)):
        logger.error(
            "Reading a document ended with %s: %s", process.returncode, said.decode(errors="replace")
        )
