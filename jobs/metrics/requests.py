"""Requests that this process answers: counted in memory, added to the totals every few seconds.

A process that is killed takes at most these seconds with it; what happens to runs is not counted here but in the
ledger, and never lost.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponseBase

from jobs.metrics import totals
from jobs.metrics.totals import Total

logger = logging.getLogger(__name__)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: The label of requests for addresses that do not exist.
UNKNOWN = "unknown"


class Counts:
    """What one process has counted and not handed over yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, str, str], tuple[int, float]] = {}
        self._thread: threading.Thread | None = None

    def count(self, *, view: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        kept = method if method in _METHODS else "other"
        with self._lock:
            self._add("http_request", view, f"{kept} {status}", seconds)
            self._add("http_duration", area_of(view), totals.bucket_of(seconds), seconds)
            if self._thread is None and settings.METRICS_FLUSH_SECONDS:
                self._thread = threading.Thread(target=self._flush_for_ever, name="metrics", daemon=True)
                self._thread.start()
                atexit.register(self.flush)

    def flush(self) -> None:
        """Hand everything over to the totals; kept for later when the database does not answer."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        if not waiting:
            return
        try:
            totals.add(Total(*key, count, seconds) for key, (count, seconds) in waiting.items())
        except Error as error:
            logger.warning("The count of requests waits for the database: %s", error)
            connection.close()
            with self._lock:
                for key, (count, seconds) in waiting.items():
                    self._add(*key, seconds, count)

    def _add(self, series: str, subject: str, key: str, seconds: float, count: int = 1) -> None:
        before = self._waiting.get((series, subject, key), (0, 0.0))
        self._waiting[series, subject, key] = (before[0] + count, before[1] + seconds)

    def _flush_for_ever(self) -> None:
        while True:
            time.sleep(settings.METRICS_FLUSH_SECONDS)
            self.flush()


counts = Counts()


class CountRequests:
    """Middleware: counts each answer by the name of its route, so that there are no more labels than routes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self._get_response(request)
        match = request.resolver_match
        counts.count(
            view=(match.view_name or match.route) if match else UNKNOWN,
            method=request.method or "",
            status=response.status_code,
            seconds=time.perf_counter() - began,
        )
        return response


def area_of(view: str) -> str:
    """The part of the site a route belongs to: `api` for "api:run-list", `page` for what has no namespace."""
    area, colon, _ = view.partition(":")
    return area if colon else ("page" if view != UNKNOWN else UNKNOWN)
