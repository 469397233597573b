"""How log records look: a line for people, or a JSON object for collectors; never with secrets.

Every record tells what it is about: the run (run_id, job, attempt, schedule) or the request (request_id, user_id).
"""

import logging
from typing import Any

import structlog
from celery import current_task
from django.conf import settings

from config import requests
from config.redaction import redact, redact_value
from jobs import runlogs, tracing

FORMATS: tuple[str, ...] = ("console", "json")


def configuration(form: str, level: str) -> dict[str, Any]:
    """Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "console": {
                "()": "config.logs.Redacted",
                "format": "{asctime} {levelname:<7} {name}: {message}",
                "style": "{",
            },
            "json": {
                "()": "structlog.stdlib.ProcessorFormatter",
                "foreign_pre_chain": [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.format_exc_info,
                    add_context,
                    redact_all,
                    structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
                ],
            },
            "message": {"()": "config.logs.Redacted", "format": "{message}", "style": "{"},
        },
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": form},
            "run": {"class": "jobs.runlogs.RunLogHandler", "formatter": "message", "level": "INFO"},
        },
        "root": {"handlers": ["console", "run"], "level": level},
        "loggers": {
            "httpx": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # Its handler of its own would write each line twice, once without its id.
            "django.server": {"handlers": [], "propagate": True},
            "almanac.request": {"level": "INFO" if form == "json" else "WARNING"},
        },
    }


class Redacted(logging.Formatter):
    """Plain text without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def add_context(logger: Any, method: str, event: Any) -> Any:
    """Add what the record is about."""
    return {**event, **requests.fields(), **(runlogs.fields() or _task_at_hand()), **_trace()}


def _trace() -> dict[str, object]:
    """The trace it belongs to, when there are traces."""
    parent = tracing.traceparent() if settings.configured else ""
    return {"trace_id": parent.split("-")[1]} if parent else {}


def redact_all(logger: Any, method: str, event: Any) -> Any:
    """Take secrets out of every text of the record."""
    return {name: redact_value(name, value) for name, value in event.items()}


def _task_at_hand() -> dict[str, object]:
    """What Celery itself says about a run before and after its attempt."""
    request = getattr(current_task, "request", None)
    if request is None or request.id is None:
        return {}
    return {"run_id": request.id, "job": current_task.name}
