"""What PostgreSQL and Valkey have in common: find, start, check and end one server process.

A server is known by its program name and its working folder, which for both is the data folder. That finds it after
any accident: a lost or stale pid file, a killed supervisor, a checkout that was moved, a data folder that was deleted.
"""

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path

import psutil

from config.embedded.account import Account, Programs
from config.embedded.errors import EmbeddedError
from config.embedded.places import Places, make_private

#: A large database may need this long to recover after a crash.
START_PATIENCE_SECONDS = 60.0
#: A running server without a socket lost it (a moved checkout, a cleaned /tmp) or is just about to make it.
SOCKET_PATIENCE_SECONDS = 3.0
POLL_SECONDS = 0.02
LOG_LIMIT_BYTES = 10_000_000
#: Nothing of the caller's environment changes a server, and none of its secrets reach it.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

#: Servers that this process started: kept, so that they can be reaped when they end.
_children: list[subprocess.Popen[bytes]] = []


class Server(ABC):
    """One server of one stack, durable (run) or quick (tests)."""

    title: str
    program_name: str
    #: Signals that end it, from polite to final, with the seconds each is given.
    endings: tuple[tuple[signal.Signals, float], ...]

    def __init__(self, places: Places, *, durable: bool) -> None:
        self.places = places
        self.durable = durable

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The data folder."""

    @property
    @abstractmethod
    def socket(self) -> Path:
        """The unix socket it listens on."""

    @abstractmethod
    def command(self, programs: Programs) -> list[str]:
        """The program and its arguments."""

    @abstractmethod
    def problem(self) -> str | None:
        """Why it does not answer now; None when it is healthy."""

    def prepare(self, account: Account) -> None:
        """Make the data folder ready; called when no process of this server is alive."""
        make_private(self.folder, account.owner)

    @property
    def log(self) -> Path:
        return self.places.home / f"{self.program_name}.log"

    def processes(self) -> list[psutil.Process]:
        """Every living process of this server."""
        _reap()
        found = []
        for process in psutil.process_iter():
            try:
                if process.name() == self.program_name and self._works_here(process):
                    found.append(process)
            except psutil.Error:  # it has just ended, or it is not ours to look at
                continue
        return found

    def main(self) -> psutil.Process | None:
        """The parent of the others, when it is alive and its data folder has not been deleted."""
        everyone = self.processes()
        numbers = {process.pid for process in everyone}
        for process in everyone:
            try:
                if process.ppid() not in numbers and not _works_in_deleted_folder(process):
                    return process
            except psutil.Error:
                continue
        return None

    def start(self, account: Account) -> None:
        """Adopt the running server, or start one; return when it answers."""
        if self._adopted():
            return
        if self.main() is None:
            self.kill()  # what is left of a killed server or of a deleted folder has nothing to save
        else:
            self.stop()
        self.prepare(account)
        child = self._spawn(account)
        problem = self._wait_until_healthy(START_PATIENCE_SECONDS, child)
        if problem is not None:
            self.stop()
            raise EmbeddedError(
                f"{self.title} does not start: {self._last_words() or problem} (log: {self.log})"
            )

    def stop(self) -> None:
        """End every process of this server, politely first."""
        for signal_number, patience_seconds in self.endings:
            alive = self._signal(signal_number)
            deadline = time.monotonic() + patience_seconds
            while alive and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
                _reap()
                alive = [process for process in alive if is_alive(process)]
            if not self.processes():
                return
        raise EmbeddedError(
            f"{self.title} (pid {self.processes()[0].pid}) does not stop, not even when killed."
        )

    def kill(self) -> None:
        """End every process at once, as a crash would."""
        while self._signal(signal.SIGKILL):
            time.sleep(POLL_SECONDS)

    def _signal(self, number: signal.Signals) -> list[psutil.Process]:
        """Send the signal to the main process, or to all that are left when it is gone or the signal is final."""
        everyone = self.processes()
        main = self.main()
        for process in everyone if main is None or number == signal.SIGKILL else [main]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue
        return everyone

    def _adopted(self) -> bool:
        if self.main() is None:
            return False
        patience = START_PATIENCE_SECONDS if self.socket.exists() else SOCKET_PATIENCE_SECONDS
        return self._wait_until_healthy(patience) is None

    def _wait_until_healthy(
        self, patience_seconds: float, child: subprocess.Popen[bytes] | None = None
    ) -> str | None:
        """None once it answers; else the last problem, when patience or the process has ended."""
        deadline = time.monotonic() + patience_seconds
        while (problem := self.problem()) is not None:
            if time.monotonic() > deadline:
                return problem
            if child.poll() is not None if child else self.main() is None:
                return f"the process has ended; {problem}"
            time.sleep(POLL_SECONDS)
        return None

    def _spawn(self, account: Account) -> subprocess.Popen[bytes]:
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.rename(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own programs and arguments
                self.command(account.programs),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=ENVIRONMENT,
                umask=0o077,
                **account.credentials,
            )
        _children.append(child)
        return child

    def _works_here(self, process: psutil.Process) -> bool:
        return is_alive(process) and process.cwd() == str(self.folder)  # also when it has been deleted

    def _last_words(self) -> str:
        """The last line of the log that names an error."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-30:]
        telling = [
            line for line in lines if any(word in line for word in ("FATAL", "PANIC", "rror", "Can't"))
        ]
        return telling[-1].strip() if telling else ""


def is_alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _works_in_deleted_folder(process: psutil.Process) -> bool:
    """Whether its data folder is gone, even when another of the same name is there now. Only Linux can tell."""
    try:
        return str(Path(f"/proc/{process.pid}/cwd").readlink()).endswith(" (deleted)")
    except OSError:
        return False


def _reap() -> None:
    _children[:] = [child for child in _children if child.poll() is None]
