"""Fingerprints of errors: equal for failures of one cause in one job, different for different causes.

A cause is what was raised (its type, those behind it, and codes such as an HTTP status), and where: the line of our own
code that failed, by its text and not by its number, and the function it called last. Messages are left out, as
they name the thing that failed; only an error that was never raised has nothing else, and counts by its message without
the numbers, ids and names in it.
"""

import hashlib
import linecache
import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from django.conf import settings

#: How many errors behind an error are looked at: `raise … from` may go round in circles.
_DEEPEST = 5
_VARYING = [
    re.compile(pattern)
    for pattern in (
        r"\w+://\S+",
        r"'[^']*'|\"[^\"]*\"|`[^`]*`|“[^”]*”",
        r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b",
        r"\b0[xX][0-9a-fA-F]+\b",
        r"\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{6,}\b",
        r"\d+(?:[.,:]\d+)*",
    )
]


def of_error(job: str, error: BaseException) -> str:
    """The fingerprint of an error that ended an attempt of a job: 16 hexadecimal digits."""
    causes = list(_causes(error))
    parts = [
        job,
        *(f"{type(cause).__module__}.{type(cause).__qualname__} {_code(cause)}" for cause in causes),
    ]
    places = [place for cause in causes for place in _places(cause)]
    return _digest([*parts, *(places or [without_details(str(error))])])


def of_kind(job: str, error_type: str) -> str:
    """The fingerprint of failures that are known by their type alone, such as lost runs. `jobs.ledger` computes the same."""
    return _digest([job, error_type])


def without_details(message: str) -> str:
    """A message without what changes from case to case: numbers, ids, addresses, quoted names."""
    for pattern in _VARYING:
        message = pattern.sub("#", message)
    return " ".join(message.split())


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it."""
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in seen and len(seen) < _DEEPEST:
        yield following
        seen.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)


def _code(error: BaseException) -> str:
    """What tells errors of one type apart: an errno, an SQL state, an HTTP status."""
    of_response = getattr(getattr(error, "response", None), "status_code", None)
    for code in (of_response, *(getattr(error, name, None) for name in ("errno", "sqlstate", "status_code"))):
        if isinstance(code, (int, str)):
            return str(code)
    return ""


def _places(error: BaseException) -> list[str]:
    """The function that raised, and the line of our code that led there."""
    steps = list(traceback.walk_tb(error.__traceback__))
    if not steps:
        return []
    found = [_function(steps[-1][0])]
    ours = next(((frame, number) for frame, number in reversed(steps) if _is_ours(frame)), None)
    if ours is not None:
        frame, number = ours
        text = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
        found.append(f"{_function(frame)}: {text}")
    return found


def _function(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '')}.{frame.f_code.co_qualname}"


def _is_ours(frame: FrameType) -> bool:
    """Whether the frame is code of this project and not of a package."""
    path = Path(frame.f_code.co_filename)
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts
