"""The jobs of notifications: sending one thing on demand, and keeping house."""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from jobs.context import ActiveRun
from jobs.definitions import RetryPolicy, cron, job
from jobs.notifications import direct, retention
from jobs.notifications.channels.email import Address
from jobs.notifications.channels.webhook import web_address

_RETRY = RetryPolicy(max_attempts=6, base_seconds=30, cap_seconds=1800)


@job(
    "notifications.send_email",
    title="Send an email",
    queue="notifications",
    retry=_RETRY,
    soft_time_limit=270,
    time_limit=300,
)
def send_email(
    run: ActiveRun,
    *,
    to: Annotated[list[Address], Field(min_length=1, max_length=50)],
    subject: Annotated[str, Field(min_length=1, max_length=300)],
    text: Annotated[str, Field(min_length=1, max_length=100_000)],
    html: Annotated[str, Field(max_length=500_000)] = "",
) -> dict[str, Any]:
    """Send an email to each address over the mail server of the installation; HTML is sanitised.

    Each recipient is a unit: if some are refused the run has partly succeeded, if all are it has failed.
    """
    return direct.send_email(run, to=to, subject=subject, text=text, html=html)


@job(
    "notifications.send_webhook",
    title="Send a webhook",
    queue="notifications",
    retry=_RETRY,
    soft_time_limit=50,
    time_limit=60,
)
def send_webhook(
    run: ActiveRun,
    *,
    payload: dict[str, Any],
    url: Annotated[str, AfterValidator(web_address), Field(max_length=2000)] | None = None,
    channel: Annotated[str, Field(max_length=100)] | None = None,
) -> dict[str, Any]:
    """Post a JSON object: to an address, unsigned, or over a webhook channel by its name, signed with its key.

    The run's id goes along as `webhook-id`, the same for every attempt. Give one of the two.
    """
    return direct.send_webhook(run, payload=payload, url=url, channel=channel)


@job(
    "notifications.cleanup_deliveries",
    title="Forget old notifications",
    queue="maintenance",
    schedule=cron("15 4 * * *"),
)
def cleanup_deliveries(
    run: ActiveRun, *, keep_days: Annotated[int, Field(ge=1, le=3650)] = retention.USUAL_DAYS
) -> dict[str, int]:
    """Delete deliveries that ended, and inbox messages that were read, more than so many days ago."""
    return retention.clean(keep_days=keep_days)
