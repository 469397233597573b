"""One PostgreSQL and one Valkey, started and stopped together."""

import fcntl
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from config.embedded.account import server_account
from config.embedded.broker import Broker
from config.embedded.database import Database
from config.embedded.errors import EmbeddedError
from config.embedded.places import Places, StackUrls, make_private
from config.embedded.server import Server

LOCK_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class ServerStatus:
    """One server at one moment."""

    title: str
    pid: int | None
    problem: str | None
    """Why it does not answer; None when it does."""

    def __str__(self) -> str:
        if self.pid is None:
            return f"{self.title}: stopped"
        return f"{self.title}: running, pid {self.pid}" + (f", but {self.problem}" if self.problem else "")


@dataclass(frozen=True)
class StackStatus:
    """Both servers at one moment."""

    database: ServerStatus
    broker: ServerStatus

    @property
    def is_running(self) -> bool:
        """Whether both answer."""
        return all(
            server.pid is not None and server.problem is None for server in (self.database, self.broker)
        )

    def __str__(self) -> str:
        return f"{self.database}\n{self.broker}"


class Stack:
    """The two servers in `places`. Durable servers keep every commit and message; quick ones are for tests."""

    def __init__(self, places: Places, *, durable: bool = True) -> None:
        self.places = places
        self.database = Database(places, durable=durable)
        self.broker = Broker(places, durable=durable)

    @property
    def urls(self) -> StackUrls:
        return self.places.urls

    def start(self) -> None:
        """Adopt or start both servers; return when both answer. Starts and stops of one stack wait for each other."""
        account = server_account()
        make_private(self.places.home, account.owner)
        with self._locked():
            make_private(self.places.sockets, account.owner)
            self.database.start(account)
            self.broker.start(account)

    def stop(self) -> None:
        """End both servers cleanly."""
        if not self.places.home.exists():
            return
        with self._locked():
            self.broker.stop()
            self.database.stop()
            shutil.rmtree(self.places.sockets, ignore_errors=True)

    def status(self) -> StackStatus:
        """Look, without changing anything."""
        return StackStatus(database=_look_at(self.database), broker=_look_at(self.broker))

    def remove(self) -> None:
        """Stop, and delete all data."""
        self.stop()
        shutil.rmtree(self.places.home, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        with (self.places.home / "lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        raise EmbeddedError(
                            f"Another process has been starting or stopping the servers for {LOCK_PATIENCE_SECONDS:.0f} "
                            f"seconds; find it with `fuser {self.places.home / 'lock'}`."
                        ) from error
                    time.sleep(0.05)
                else:
                    break
            yield


def _look_at(server: Server) -> ServerStatus:
    main = server.main()
    return ServerStatus(title=server.title, pid=main.pid if main else None, problem=server.problem())
