"""Asking a service for somebody who waits: at the pace that holds for everybody, and not for long."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as OutOfTime
from dataclasses import dataclass
from typing import TypeVar

from django.db import connections as databases

from knowledge import connectors
from knowledge.connectors import Connector, Preview, Query
from knowledge.errors import ConnectorUnavailable
from knowledge.rates import Attendance
from knowledge.records import Record

T = TypeVar("T")

PATIENCE_SECONDS = 20.0
#: More papers are a job's work.
MOST_PAPERS = 50


@dataclass(frozen=True)
class Fetched:
    """What a service has on a query, now. Nothing of it is stored."""

    records: tuple[Record, ...]
    #: How the service understood it, if that was asked.
    preview: Preview | None = None


def fetch(
    kind: str, query: Query, *, with_preview: bool = False, patience: float = PATIENCE_SECONDS
) -> Fetched:
    """What the connector gives. Raises ConnectorError, also when it takes longer than somebody should sit and wait."""
    connector = connectors.get(kind)

    def ask(attendance: Attendance) -> Fetched:
        preview = connector.preview(query, attendance) if with_preview else None
        records = [
            record for batch in connector.batches(query, attendance=attendance) for record in batch.records
        ]
        return Fetched(tuple(records[: query.max_results]), preview)

    return _within(patience, connector, ask)


def _within(patience: float, connector: Connector, ask: Callable[[Attendance], T]) -> T:
    deadline = time.monotonic() + patience
    late = ConnectorUnavailable(
        f"{connector.label} has not answered within {patience:g} seconds.", retry_after=patience
    )

    def check() -> None:
        if time.monotonic() > deadline:
            raise late

    def asked() -> T:
        try:
            return ask(Attendance(check))
        finally:
            databases.close_all()  # this thread's own

    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="online")
    try:
        return pool.submit(asked).result(timeout=patience)
    except OutOfTime as error:
        raise late from error
    finally:
        # A request that is under way ends by its own limit of time; nobody waits for it here.
        pool.shutdown(wait=False)
