"""Jobs to measure with."""

import os
import time
from pathlib import Path

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, job

#: Names the file that `leave_trace` writes to: a witness that no killed server takes with it.
TRACE_FILE = "BENCHMARK_TRACE"


@job("benchmarks.do_nothing", title="Do nothing")
def do_nothing(run: ActiveRun) -> None:
    """Nothing: what remains is what the control plane costs."""


@job(
    "benchmarks.leave_trace",
    title="Leave a trace",
    retry=RetryPolicy(max_attempts=100, base_seconds=0.2, cap_seconds=1),
)
def leave_trace(run: ActiveRun) -> None:
    """Write to a file when the body begins and when it ends, 80 milliseconds later."""
    _trace(run, "begin")
    time.sleep(0.08)
    _trace(run, "end")


def _trace(run: ActiveRun, what: str) -> None:
    with Path(os.environ[TRACE_FILE]).open("a") as file:
        file.write(f"{run.id} {run.attempt} {what} {time.time()}\n")
