"""System checks: settings that are each fine but wrong together."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from config import embedded

#: Brokers that outlive a process; Celery's in-memory and file transports do not carry a production queue.
BROKER_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "amqp", "amqps", "pyamqp"})
#: A lease must survive two lost heartbeats.
HEARTBEATS_IN_A_LEASE = 3


@register()
def check_lease(app_configs: Sequence[AppConfig] | None, **options: object) -> list[CheckMessage]:
    """Runs whose worker is alive must not be declared lost."""
    if settings.JOBS_LEASE_SECONDS >= HEARTBEATS_IN_A_LEASE * settings.JOBS_HEARTBEAT_SECONDS:
        return []
    return [
        Error(
            f"JOBS_LEASE_SECONDS ({settings.JOBS_LEASE_SECONDS:g}) is less than {HEARTBEATS_IN_A_LEASE} times "
            f"JOBS_HEARTBEAT_SECONDS ({settings.JOBS_HEARTBEAT_SECONDS:g}): healthy runs would be declared lost.",
            hint="Raise the lease or lower the heartbeat.",
            id="config.E001",
        )
    ]


@register()
def check_broker(app_configs: Sequence[AppConfig] | None, **options: object) -> list[CheckMessage]:
    """The broker is a server."""
    scheme = urlsplit(settings.BROKER_URL).scheme
    if scheme in BROKER_SCHEMES:
        return []
    return [
        Error(
            f"BROKER_URL starts with {scheme}://, which is no broker that Almanac works with.",
            hint=f"Use one of: {', '.join(sorted(BROKER_SCHEMES))}.",
            id="config.E002",
        )
    ]


@register()
def check_queues(app_configs: Sequence[AppConfig] | None, **options: object) -> list[CheckMessage]:
    """Messages without a queue of their own must reach a queue that workers listen to."""
    if settings.CELERY_TASK_DEFAULT_QUEUE in settings.JOBS_QUEUES:
        return []
    return [
        Error(
            f"CELERY_TASK_DEFAULT_QUEUE ({settings.CELERY_TASK_DEFAULT_QUEUE!r}) is not in JOBS_QUEUES.",
            hint="Add it to JOBS_QUEUES: no worker listens to it now.",
            id="config.E003",
        )
    ]


@register()
def check_servers(app_configs: Sequence[AppConfig] | None, **options: object) -> list[CheckMessage]:
    """Both servers are embedded, or neither is."""
    own = embedded.urls(Path(settings.BASE_DIR))
    if (own.database_url == settings.DATABASE_URL) == (own.broker_url == settings.BROKER_URL):
        return []
    given, missing = ("DATABASE_URL", "BROKER_URL")
    if own.database_url == settings.DATABASE_URL:
        given, missing = missing, given
    return [
        Warning(
            f"{given} names a server, but {missing} is not set, so one of the embedded servers is in use.",
            hint=f"Set {missing} too, or unset {given}.",
            id="config.W001",
        )
    ]


@register()
def check_model(app_configs: Sequence[AppConfig] | None, **options: object) -> list[CheckMessage]:
    """A language model has an address that can be asked, and a name."""
    given = {name: bool(getattr(settings, name)) for name in ("CHAT_BASE_URL", "CHAT_MODEL")}
    if given["CHAT_BASE_URL"] and not _is_web_address(settings.CHAT_BASE_URL):
        return [
            Error(
                "CHAT_BASE_URL is no address that can be asked.",
                hint="It is like https://api.example.com/v1.",
                id="config.E004",
            )
        ]
    if len(set(given.values())) == 1:
        return []
    present, missing = sorted(given, key=lambda name: not given[name])
    return [
        Warning(
            f"{present} is set, but {missing} is not: no language model can be asked.",
            hint=f"Set {missing} too, or unset {present}.",
            id="config.W002",
        )
    ]


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
