"""What queries would find, asked of several sources at the same time."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from django.db import connections
from django.utils import timezone

from knowledge import connectors
from knowledge.connectors import Preview, Query, Window
from knowledge.errors import ConnectorError, UnknownConnector
from knowledge.models import Source
from knowledge.rates import Attendance

#: All sources together have so long; somebody waits for the page.
PATIENCE_SECONDS = 20.0
#: So many sources are asked at the same time.
_TOGETHER = 8


@dataclass(frozen=True)
class QueryPreview:
    """What one source would find, or why it could not be asked."""

    source: Source
    #: What it was asked.
    text: str
    #: As the source understood it; "" with a problem.
    translated: str = ""
    #: None with a problem.
    hits: int | None = None
    #: What people should know, such as a phrase that the source does not know.
    warnings: tuple[str, ...] = ()
    problem: str = ""


class _OutOfTime(Exception):
    """Whoever asked has gone on."""


def preview(
    asked: Sequence[tuple[Source, str]], *, days_back: int, patience: float = PATIENCE_SECONDS
) -> list[QueryPreview]:
    """What each source would find for its text among the papers it had in so many days. Never raises for a bad source."""
    window = Window(since=(timezone.now() - timedelta(days=days_back)).date())
    deadline = time.monotonic() + patience
    askings = [_Asking(source, text, window, deadline) for source, text in asked]
    pool = ThreadPoolExecutor(max_workers=_TOGETHER, thread_name_prefix="preview")
    try:
        answers = [pool.submit(asking.answer) for asking in askings]
        wait(answers, timeout=patience)
        return [
            answer.result() if answer.done() else asking.late()
            for asking, answer in zip(askings, answers, strict=True)
        ]
    finally:
        # A request that is under way ends by its own limit of time; nobody waits for it here.
        pool.shutdown(wait=False, cancel_futures=True)


class _Asking:
    """One source being asked, in a thread of its own."""

    def __init__(self, source: Source, text: str, window: Window, deadline: float) -> None:
        self._source = source
        self._text = text
        self._window = window
        self._deadline = deadline
        self._told = ""

    def answer(self) -> QueryPreview:
        try:
            found = self._preview()
        except _OutOfTime:
            return self.late()
        except (ConnectorError, UnknownConnector) as error:
            return QueryPreview(self._source, self._text, problem=str(error))
        finally:
            connections.close_all()  # this thread's own
        return QueryPreview(self._source, self._text, found.translated, found.hits, found.warnings)

    def late(self) -> QueryPreview:
        problem = f"It has not answered in time. {self._told}".strip()
        return QueryPreview(self._source, self._text, problem=problem)

    def _preview(self) -> Preview:
        connector = connectors.get(self._source.connector)
        query = Query(text=self._text, window=self._window, addresses=tuple(self._source.addresses))
        return connector.preview(query, Attendance(self._check, self._tell))

    def _check(self) -> None:
        if time.monotonic() > self._deadline:
            raise _OutOfTime

    def _tell(self, sentence: str) -> None:
        self._told = sentence
