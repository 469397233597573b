"""`make run`: servers, database, web, live, worker and beat under one supervisor, until Ctrl-C or SIGTERM.

Everything that it starts is ended with it. After a kill -9 the next start ends what the killed one has left.
"""

import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from honcho.compat import ProcessManager
from honcho.environ import parse_procfile
from honcho.manager import Manager

from config import embedded, leftovers
from config.embedded import EmbeddedError
from config.embedded.places import make_private

ROOT = Path(__file__).resolve().parent.parent
FIRST_PORT = 8000
FIRST_LIVE_PORT = 8050
PORTS_TO_TRY = 50
STOP_PATIENCE_SECONDS = 60.0


class LeaderFirst(ProcessManager):  # type: ignore[misc]  # honcho has no types
    """Ask the leader of each process group to stop; it ends its own children in its own good order."""

    def terminate(self, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return


def main() -> int:
    """0 after a clean stop; 1 with one sentence when something cannot start; else a process's exit code."""
    action = sys.argv[1:] or ["start"]
    if action not in (["start"], ["stop"]):
        return _fail("Usage: python -m config.run [start|stop]")
    try:
        return stop() if action == ["stop"] else start()
    except EmbeddedError as error:
        return _fail(str(error))


def start() -> int:
    """Serve until stopped."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _leave)
    with _only_one():
        try:
            code = _serve()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            leftovers.end(ROOT)
            if _uses_embedded_servers():
                embedded.stop(ROOT)
        _say("Stopped.")
    return code


def stop() -> int:
    """Stop what `start` of this checkout runs, and its servers, also when they were started alone."""
    pid = _running_pid()
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_PATIENCE_SECONDS
        while _running_pid() is not None:
            if time.monotonic() > deadline:
                return _fail(f"Almanac (pid {pid}) does not stop.")
            time.sleep(0.1)
    leftovers.end(ROOT)
    embedded.stop(ROOT)
    return 0


def _serve() -> int:
    begun = time.monotonic()
    if ended := leftovers.end(ROOT):
        _say(f"Ended {ended} processes that an earlier run had left.")
    environment = os.environ | leftovers.marked(ROOT) | {"PYTHONUNBUFFERED": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    port, token = take_port("PORT", FIRST_PORT)
    with token:
        live_port, live_token = take_port("LIVE_PORT", FIRST_LIVE_PORT)
        with live_token:
            return _serve_on(port, live_port, environment, begun)


def _serve_on(port: int, live_port: int, environment: dict[str, str], begun: float) -> int:
    environment |= {"PORT": str(port), "LIVE_PORT": str(live_port)}
    # Set it to nothing for a start without the sample world.
    environment.setdefault("SAMPLE_WORLD_URL", f"http://127.0.0.1:{port}")
    environment.setdefault("SITE_URL", f"http://127.0.0.1:{port}")
    if _uses_embedded_servers():
        embedded.start(ROOT)
        _say(f"PostgreSQL and Valkey run ({time.monotonic() - begun:.1f} s).")
    prepared = subprocess.run(
        [sys.executable, "-m", "config.prepare"], cwd=ROOT, env=environment, check=False
    )
    if prepared.returncode != 0:
        return prepared.returncode
    welcome = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "config.welcome", f"{begun:.3f}"],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
    )
    try:
        return _supervise(environment)
    finally:
        welcome.terminate()
        welcome.wait()


def _supervise(environment: dict[str, str]) -> int:
    """Run the processes of the Procfile until a signal comes, or one of them cannot be kept running."""
    supervisor = Manager()
    supervisor._procmgr = (
        LeaderFirst()
    )  # honcho signals whole groups, which would kill a worker's running tasks
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        kept = shlex.join([sys.executable, "-m", "config.keep_running", "sh", "-c", command])
        supervisor.add_process(name, f"exec {kept}", env=environment, cwd=str(ROOT))
    signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    supervisor.loop()
    asked = (128 + signal.SIGINT, 128 + signal.SIGTERM)
    return 0 if supervisor.returncode in asked else int(supervisor.returncode or 0)


def take_port(name: str, first: int) -> tuple[int, socket.socket]:
    """The port that the variable asks for, or the first free one from `first` on.

    It is ours while the returned socket is open. The process that serves there binds it a moment later, and another
    checkout may be starting right now. So the same number is taken at once as a UDP port, which nothing else here
    uses, and which has no waiting time when it is given back.
    """
    wanted = os.environ.get(name)
    if wanted and (not wanted.isdecimal() or not 0 < int(wanted) < 65536):
        raise EmbeddedError(f"{name} must be a number from 1 to 65535; it is {wanted!r}.")
    for port in [int(wanted)] if wanted else range(first, first + PORTS_TO_TRY):
        token = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            token.bind(("127.0.0.1", port))
            if _is_free(port):
                return port, token
        except OSError:  # another one holds the token
            pass
        token.close()
    if wanted:
        raise EmbeddedError(f"Port {wanted} is taken: set {name} to a free one, or leave it unset.")
    raise EmbeddedError(f"The ports from {first} to {first + PORTS_TO_TRY - 1} are all taken: set {name}.")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _uses_embedded_servers() -> bool:
    return not all(
        os.environ.get(name) or os.environ.get(f"{name}_FILE") for name in ("DATABASE_URL", "BROKER_URL")
    )


def _lock_path() -> Path:
    folder = ROOT / ".almanac"
    make_private(folder, (os.geteuid(), os.getegid()))
    return folder / "run.lock"


@contextmanager
def _only_one() -> Iterator[None]:
    """One `make run` for each checkout; the lock file names its process.

    A `lockf` lock is the process's own: forked children do not keep it when the process is killed.
    """
    with _lock_path().open("a+") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise EmbeddedError(
                f"Almanac runs already from this checkout (pid {_running_pid()}): stop it with Ctrl-C or `make stop`."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


def _running_pid() -> int | None:
    """The process that holds the lock."""
    with _lock_path().open("a+") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
