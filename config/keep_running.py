"""`python -m config.keep_running COMMAND...`: run a command, and again whenever it ends unasked.

A worker may be killed for its memory, or end by itself (Celery's does so when one of its processes dies while it
starts). Whoever runs Almanac on one machine with `make run` has no systemd or container runtime to start it again.
"""

import signal
import subprocess
import sys
import time

_ASK_TO_END = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
#: Seconds before the next start, doubled each time it ends early.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
#: A process that lives this many seconds has started well.
EARLY = 10.0
#: It is given up after so many early ends in a row: what cannot start needs a person.
GIVE_UP_AFTER = 5


def keep_running(command: list[str]) -> int:
    """Run the command until a signal asks it to end, or it cannot be kept alive; returns its last exit code.

    Signals are passed on, and its end is waited for.
    """
    for number in (signal.SIGCHLD, signal.SIGALRM):
        signal.signal(number, lambda *_: None)  # else some systems throw it away while it is blocked
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ASK_TO_END, signal.SIGCHLD, signal.SIGALRM})
    early_ends = 0
    while True:
        began = time.monotonic()
        code, was_asked = _run(command)
        if was_asked:
            return code
        early_ends = early_ends + 1 if time.monotonic() - began < EARLY else 1
        if early_ends >= GIVE_UP_AFTER:
            _say(
                f"Ended with exit code {code}, the {early_ends}th time within {EARLY:g} s of its start: given up."
            )
            return code or 1
        pause = min(FIRST_PAUSE * 2 ** (early_ends - 1), LONGEST_PAUSE)
        _say(f"Ended with exit code {code}. It starts again in {pause:g} s.")
        signal.setitimer(signal.ITIMER_REAL, pause)
        if signal.sigwait({*_ASK_TO_END, signal.SIGALRM}) != signal.SIGALRM:
            return code


def _run(command: list[str]) -> tuple[int, bool]:
    """The exit code (128 + the signal's number after a signal, as shells say), and whether it was asked to end."""
    child = subprocess.Popen(command, preexec_fn=_accept_signals)  # noqa: S603 - the Procfile's command
    was_asked = False
    while child.poll() is None:
        number = signal.sigwait({*_ASK_TO_END, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            was_asked = True
            child.send_signal(number)
    code = child.returncode
    return (code if code >= 0 else 128 - code), was_asked


def _accept_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("Usage: python -m config.keep_running COMMAND...")
    sys.exit(keep_running(sys.argv[1:]))
