"""Starts Celery processes quickly: one Python has everything imported, and forks for each.

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
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


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

    def wait(self, *, timeout: float = 10) -> int:
        """Wait until it has ended; raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"Process {self.pid} still runs after {timeout:g} s.")
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        """kill -9 of this process alone."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def kill_group(self) -> None:
        """kill -9 of it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.wait()


class Spawner:
    """The test's end: starts `celery -A config …` with the environment of this moment."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.spawner"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, *arguments: str, log: Path, **environment: str) -> Spawned:
        return Spawned(self, self.ask(arguments=arguments, log=str(log), environment=environment))

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
    for line in sys.stdin:
        command = json.loads(line)
        if "poll" in command:
            pid, status = os.waitpid(command["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork() or become_celery(**command)
            started.append(answer)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    for pid in started:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def become_celery(arguments: list[str], log: str, environment: dict[str, str]) -> NoReturn:
    """What a new process does with its life."""
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.environ.update(environment)
    sys.argv = ["celery", "-A", "config", *arguments]
    code: Any = 1
    try:
        main()
    except SystemExit as exit_:
        code = exit_.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    import django
    from celery.__main__ import main

    import config.celery  # noqa: F401 - ready before the first fork

    django.setup()
    serve()
