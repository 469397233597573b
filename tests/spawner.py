"""Starts our processes quickly: one Python has everything imported, and forks for each.

As a program it reads a JSON command a line from its standard input and answers each with one line. When the input
ends, because the test session did, it kills whatever it has started.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NoReturn

import django
from django import conf

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = {"celery": "celery.__main__:main", "gunicorn": "gunicorn.app.wsgiapp:run"}
#: Every process would import them for itself otherwise.
IMPORTED_FIRST = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "config.celery",
    "config.gunicorn_logs",
    "config.urls",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gasgi",
    "jobs.scheduler",
    "kombu.transport.redis",
)


class Spawned:
    """A process of the spawner: the leader of its own group, with the interface of `subprocess.Popen`."""

    def __init__(self, spawner: "Spawner", pid: int) -> None:
        self._spawner = spawner
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or minus the signal that killed it; None while it lives."""
        if self.returncode is None:
            self.returncode = self._spawner.ask(poll=self.pid)
        return self.returncode

    def wait(self, timeout: float = 10) -> int:
        """Wait until it has ended; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Process {self.pid} still runs after {timeout:g} s.")
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        """To this process alone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9 of this process alone."""
        self.send_signal(signal.SIGKILL)
        self.wait()

    def kill_group(self) -> None:
        """kill -9 of it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self, timeout: float = 20) -> None:
        """Ask it to end; kill it with its children when it does not."""
        self.send_signal(signal.SIGTERM)
        try:
            self.wait(timeout)
        except TimeoutError:
            self.kill_group()


class Spawner:
    """The test's end. What it starts has the environment of the moment when the spawner was made."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.spawner"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def celery(self, *arguments: str, **options: Any) -> Spawned:
        """`celery -A config …`; the options are those of `start`."""
        return self.start("celery", "-A", "config", *arguments, **options)

    def start(
        self,
        *command: str,
        log: Path | None = None,
        settings: Mapping[str, Any] | None = None,
        **environment: str,
    ) -> Spawned:
        """Start `celery` or `gunicorn` with other settings of Django, and variables that are read later than those.

        Without a log it writes to the terminal.
        """
        return Spawned(
            self,
            self.ask(command=command, log=log and str(log), settings=settings or {}, environment=environment),
        )

    def ask(self, **command: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and all that it has started."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()


def serve() -> None:
    """Answer commands until the input ends."""
    started: list[int] = []
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nothing but answers goes to the one who asks
    for line in sys.stdin:
        command = json.loads(line)
        if "poll" in command:
            pid, status = os.waitpid(command["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                answers.close()
                become(**command)
            started.append(answer)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def become(
    command: list[str], log: str | None, settings: dict[str, Any], environment: dict[str, str]
) -> NoReturn:
    """What a new process does with its life."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if log is not None:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
    os.environ.update(environment)
    for name, value in settings.items():
        setattr(conf.settings, name, value)
    sys.argv = command
    sys.exit(resolve_name(PROGRAMS[command[0]])())


if __name__ == "__main__":
    django.setup()
    for module in IMPORTED_FIRST:
        import_module(module)
    serve()
