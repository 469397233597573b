"""PostgreSQL and Valkey for tests: quick, private, and gone afterwards, also after a killed test session."""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TextIO

import redis
from kombu import Connection

from config.embedded import Places, Stack
from config.embedded.account import server_account
from config.embedded.places import TEMPORARY_FOLDER

PREFIX = f"almanac-test-{os.geteuid()}-"
#: A lock file younger than this may belong to a session that is just about to lock it.
GRACE_SECONDS = 10.0


class PrivateStack:
    """A pair of servers of one's own, which a test may kill, flush and restart.

    The database loses nothing that was committed and the broker no message when either is restarted or killed:
    only a crash of the whole machine would lose data, and with `durable` (as benchmarks have it) not even that.
    Start it with `with`, or with `start` and `close`.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self.folder = TEMPORARY_FOLDER / f"{PREFIX}{secrets.token_hex(4)}"
        self._stack = Stack(Places.in_folder(self.folder), durable=durable)
        self._lock: TextIO | None = None

    @property
    def database_url(self) -> str:
        """Known before the start."""
        return self._stack.urls.database_url

    @property
    def broker_url(self) -> str:
        """Known before the start; database number 0."""
        return self._stack.urls.broker_url

    def start(self) -> None:
        """Remove what killed sessions have left, then start both servers."""
        remove_leftovers()
        self._lock = _lock_path(self.folder).open("x")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._stack.start()

    def close(self) -> None:
        """Stop both servers and delete their data."""
        self._stack.remove()
        if self._lock is not None:
            self._lock.close()
            _lock_path(self.folder).unlink(missing_ok=True)
            self._lock = None

    def restart_database(self) -> None:
        """A clean stop and start: connections are lost, commits are not."""
        self.stop_database()
        self.start_database()

    def stop_database(self) -> None:
        self._stack.database.stop()

    def kill_database(self) -> None:
        """kill -9 of every PostgreSQL process; `start_database` recovers."""
        self._stack.database.kill()

    def start_database(self) -> None:
        self._stack.database.start(server_account())

    def restart_broker(self) -> None:
        """A clean stop and start: connections are lost, messages are not."""
        self.stop_broker()
        self.start_broker()

    def stop_broker(self) -> None:
        self._stack.broker.stop()

    def kill_broker(self) -> None:
        """kill -9 of Valkey; `start_broker` brings it back with its messages."""
        self._stack.broker.kill()

    def start_broker(self) -> None:
        self._stack.broker.start(server_account())

    def flush_broker(self) -> None:
        """Lose every message."""
        answer = self._stack.broker.ask("FLUSHALL")
        if answer != "+OK":
            raise RuntimeError(f"Valkey answers {answer!r} to FLUSHALL")

    def __enter__(self) -> "PrivateStack":
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def broker_client(url: str) -> Iterator[redis.Redis]:
    """A client of the broker at a Celery broker URL."""
    with Connection(url) as broker:
        yield broker.default_channel.client  # type: ignore[attr-defined]  # only the Redis channel has one


def remove_leftovers() -> None:
    """Stop the servers of sessions that no longer live, and delete their data. The lock tells: it dies with them."""
    for path in TEMPORARY_FOLDER.glob(f"{PREFIX}*.lock"):
        with contextlib.suppress(FileNotFoundError):
            _remove_if_dead(path)


def _remove_if_dead(path: Path) -> None:
    found = path.lstat()
    if found.st_uid != os.geteuid() or time.time() - found.st_mtime < GRACE_SECONDS:
        return
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        Stack(Places.in_folder(path.with_suffix("")), durable=False).remove()
        path.unlink(missing_ok=True)


def _lock_path(folder: Path) -> Path:
    return folder.with_suffix(".lock")
