"""One clear sentence when the database or the broker cannot be reached."""

from pathlib import Path

import psycopg
from django.db.utils import OperationalError
from kombu.exceptions import OperationalError as BrokerError

from config import embedded, env

ROOT = Path(__file__).resolve().parent.parent


def explain(error: BaseException) -> str | None:
    """What to do about an error that means "no connection"; None for every other error."""
    if isinstance(error, OperationalError) and _is_connection_failure(error.__cause__):
        return _sentence("database", "DATABASE_URL", embedded.urls(ROOT).database_url, error)
    if isinstance(error, BrokerError):
        return _sentence("broker", "BROKER_URL", embedded.urls(ROOT).broker_url, error)
    return None


def _is_connection_failure(cause: BaseException | None) -> bool:
    """A server that answers names an SQLSTATE; a failed connection has none."""
    return isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None


def _sentence(what: str, variable: str, own_url: str, error: BaseException) -> str:
    if (env.text(variable) or own_url) == own_url:
        return (
            f"The embedded {what} does not run: start it with `make servers` (or everything with `make run`)."
        )
    reason = str(error).strip().splitlines()[0]
    return f"The {what} that {variable} names cannot be reached: {reason}"
