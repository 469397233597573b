"""The jobs of publishing."""

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, every, job
from publishing import polling


@job(
    "publishing.monitor_feeds",
    title="Poll all sources that are due",
    queue="sources",
    schedule=every(minutes=30),
    soft_time_limit=1500,
    time_limit=1740,
)
def monitor_feeds(run: ActiveRun) -> polling.RoundResult:
    """Read every enabled source whose time has come, and store what is new.

    Each source is a unit: if some fail the run has partly succeeded, if all fail it has failed.
    """
    return polling.poll_due(run)


@job(
    "publishing.monitor_feed",
    title="Poll one source",
    queue="sources",
    retry=RetryPolicy(max_attempts=3, base_seconds=60),
    soft_time_limit=240,
    time_limit=300,
)
def monitor_feed(run: ActiveRun, *, source_id: int, force: bool = False) -> polling.PollResult:
    """Read one source now, due or not. With `force` all of it, whatever was there last time."""
    return polling.poll_source(run, source_id, force=force)


@job(
    "publishing.test_source",
    title="Test a source",
    queue="sources",
    retry=RetryPolicy(max_attempts=1),
    soft_time_limit=100,
    time_limit=120,
)
def test_source(run: ActiveRun, *, source_id: int) -> polling.Preview:
    """Fetch a source and show what it gives now, without storing anything."""
    return polling.preview(source_id)
