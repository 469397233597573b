"""Jobs to measure with."""

from jobs.context import ActiveRun
from jobs.definitions import job


@job("benchmarks.do_nothing", title="Do nothing")
def do_nothing(run: ActiveRun) -> None:
    """Nothing: what remains is what the control plane costs."""
