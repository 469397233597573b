"""Questions to servers that may never answer: asked in a thread of their own, waited for only so long."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Generic, TypeVar

T = TypeVar("T")


class NoAnswer(Exception):
    """There was no answer in time."""


class Probe(Generic[T]):
    """One question. While it is unanswered it is not asked again; whoever asks waits for the same answer."""

    def __init__(self, ask: Callable[[], T], *, name: str) -> None:
        self._ask = ask
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._pending: Future[T] | None = None

    def start(self) -> None:
        """Ask, unless an earlier question is still open."""
        if self._pending is None or self._pending.done():
            self._pending = self._pool.submit(self._ask)

    def answer(self, timeout: float) -> T:
        """What came of it, or what it raised; raises NoAnswer after so many seconds."""
        assert self._pending is not None  # noqa: S101 - started before
        try:
            return self._pending.result(timeout=timeout)
        except FutureTimeout as error:
            raise NoAnswer(f"It gave no answer within {timeout:g} s.") from error
