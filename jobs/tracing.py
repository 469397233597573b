"""Traces, when OTEL_EXPORTER_OTLP_ENDPOINT says where to send them; see docs/monitoring.md.

Without it nothing of OpenTelemetry is imported, and every function here returns at once.
"""

import importlib
import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if TYPE_CHECKING:
    from jobs.context import ActiveRun
    from jobs.ledger import Claim

_NOTHING = nullcontext()


def now() -> int:
    """When something begins that may become a span: nanoseconds since 1970."""
    return time.time_ns() if settings.OTEL_EXPORTER_OTLP_ENDPOINT else 0


def traceparent() -> str:
    """The present span, for a run that it asks for (W3C Trace Context); empty outside of spans."""
    return str(_spans().traceparent()) if settings.OTEL_EXPORTER_OTLP_ENDPOINT else ""


def of_attempt(claim: "Claim", began: int) -> AbstractContextManager[Any]:
    """The span of an attempt: part of the trace of whoever asked for the run. `began` is before it was claimed."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return _NOTHING
    return _spans().of_attempt(claim, began)  # type: ignore[no-any-return]  # imported by name


def of_body(run: "ActiveRun") -> AbstractContextManager[Any]:
    """The span of a job's body, with one for each step that it begins."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return _NOTHING
    return _spans().of_body(run)  # type: ignore[no-any-return]


def of(name: str) -> AbstractContextManager[Any]:
    """The span of anything else that an attempt does."""
    if not settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        return _NOTHING
    return _spans().of(name)  # type: ignore[no-any-return]


@cache
def _spans() -> Any:
    try:
        return importlib.import_module("jobs.spans")
    except ModuleNotFoundError as error:
        raise ImproperlyConfigured(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed: "
            "pip install -r requirements-otel.txt, or unset it."
        ) from error
