"""A run's progress in the terminal: a bar that redraws itself, or plain lines where nothing can be redrawn."""

import shutil
from datetime import datetime
from typing import TextIO

from jobs import history
from jobs.models import JobRun

_WIDTH = 24
_CLEAR = "\r\x1b[2K"


class ProgressLine:
    """Shows one run until it ends. On a terminal one line is redrawn, else a line is printed at each tenth."""

    def __init__(self, stream: TextIO, typical: history.Durations | None) -> None:
        self._stream = stream
        self._typical = typical
        self._can_redraw = stream.isatty()
        self._shown: tuple[str, int] | None = None

    def show(self, run: JobRun, at: datetime) -> None:
        """Show where the run stands."""
        if self._can_redraw:
            line = describe(run, at, self._typical)
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"{_CLEAR}{line[:width]}")
            self._stream.flush()
            return
        step = (run.status, int(run.progress // 10))
        if step != self._shown:
            self._shown = step
            self._stream.write(describe(run, at, self._typical) + "\n")
            self._stream.flush()

    def close(self) -> None:
        """Leave what was shown last in place."""
        if self._can_redraw:
            self._stream.write("\n")
            self._stream.flush()


def describe(run: JobRun, at: datetime, typical: history.Durations | None = None) -> str:
    """One line: bar, percent, units, what it is doing, time passed and left."""
    parts = [f"{bar(run.progress)} {run.progress:3.0f} %", run.get_status_display().lower()]
    if run.progress_total:
        parts.append(f"{run.progress_current or 0}/{run.progress_total}")
    if run.progress_text:
        parts.append(run.progress_text)
    elapsed = run.elapsed(at)
    if elapsed is not None:
        parts.append(clock(elapsed.total_seconds()))
    left = history.eta(run, at, typical)
    if left is not None:
        parts.append(f"about {clock(left.seconds)} left")
    return "  ".join(parts)


def bar(percent: float) -> str:
    """`[######------------------]`"""
    full = round(_WIDTH * min(max(percent, 0.0), 100.0) / 100)
    return f"[{'#' * full}{'-' * (_WIDTH - full)}]"


def clock(seconds: float) -> str:
    """Minutes and seconds, hours when there are any: `1:05`, `2:00:10`; below ten seconds with a decimal."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
