"""Watching a run from the terminal until it ends, and telling how it did."""

import json
from typing import Any, TextIO

from django.core.management.base import OutputWrapper
from django.utils import timezone

from jobs import follow, history
from jobs.management.base import FAILED, INTERRUPTED, PARTIAL, STILL_ACTIVE
from jobs.management.progress import ProgressLine
from jobs.models import JobRun

Status = JobRun.Status


def watch(run: JobRun, *, out: OutputWrapper, err: OutputWrapper, timeout: float | None = None) -> int:
    """Show the run until it ends or `timeout` seconds are over; gives the exit code. Ctrl-C leaves it running."""
    try:
        return _watch(run, out, err, timeout)
    except KeyboardInterrupt:
        out.write(f"\nThe run goes on. Cancel it with: manage.py jobs cancel {run.id}")
        return INTERRUPTED


def _watch(run: JobRun, out: OutputWrapper, err: OutputWrapper, timeout: float | None) -> int:
    line = ProgressLine(_stream(out), history.typical(run))
    try:
        for current in follow.watch(run.id, timeout=timeout):
            run = current
            line.show(run, timezone.now())
    finally:
        line.close()
    if run.is_active:
        out.write(
            f"Still {run.get_status_display().lower()}. Look again with: manage.py jobs status {run.id}"
        )
        return STILL_ACTIVE
    outcome(run, out=out, err=err)
    return exit_code(run)


def outcome(run: JobRun, *, out: OutputWrapper, err: OutputWrapper) -> None:
    """How the run ended, with its result."""
    text = run.get_status_display()
    if run.reason:
        text += f": {run.reason}"
    (out if run.status == Status.SUCCEEDED else err).write(text)
    if run.result is not None:
        out.write(json.dumps(run.result, indent=2, ensure_ascii=False))


def exit_code(run: JobRun) -> int:
    """0 succeeded, 3 partly, 1 anything else."""
    return {Status.SUCCEEDED: 0, Status.PARTIAL: PARTIAL}.get(Status(run.status), FAILED)


def _stream(output: Any) -> TextIO:
    """The stream under Django's wrapper, which would add line ends."""
    stream: TextIO = getattr(output, "_out", output)
    return stream
