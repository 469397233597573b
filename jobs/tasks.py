"""The control plane's own jobs."""

from typing import Annotated, Any

from django.utils import timezone
from pydantic import Field

from jobs import retention
from jobs.alerts import cleanup, summary
from jobs.context import ActiveRun
from jobs.definitions import cron, job
from jobs.notifications import reports


@job("jobs.heartbeat", title="Try out a queue", queue="maintenance", priority=0)
def heartbeat(run: ActiveRun, *, queue: str = "") -> str:
    """Do nothing: that it runs shows that its queue moves. The watch sends one to every queue with a worker."""
    return queue


@job("jobs.daily_summary", title="Summarise the day's alerts", queue="reports", schedule=cron("0 8 * * *"))
def daily_summary(run: ActiveRun) -> dict[str, Any]:
    """Tell how many alerts there are, how bad they are, which are unread and which are the latest."""
    today = summary.summarise(timezone.now())
    run.log(today.text)
    reports.send_report(
        "jobs.daily_summary", title=today.title, text=today.text, data=today.as_json, key=str(run.id)
    )
    return today.as_json


@job("jobs.cleanup_alerts", title="Forget old alerts", queue="maintenance", schedule=cron("0 0 * * sun"))
def cleanup_alerts(
    run: ActiveRun,
    *,
    keep_days: Annotated[int, Field(ge=cleanup.SHORTEST, le=cleanup.LONGEST)] = cleanup.USUAL,
) -> int:
    """Delete the alerts that were resolved more than so many days ago, with their history."""
    return cleanup.cleanup(timezone.now(), keep_days=keep_days)


@job(
    "jobs.cleanup_results",
    title="Forget old runs and results",
    queue="maintenance",
    schedule=cron("30 3 * * *"),
)
def cleanup_results(
    run: ActiveRun, *, keep_days: Annotated[int, Field(ge=1, le=3650)] | None = None
) -> dict[str, int]:
    """Delete the runs that ended more than so many days ago (the installation's default), and their results."""
    return retention.clean(keep_days=keep_days)
