"""Spans of requests and runs. Imported only when traces are wanted: `jobs.tracing`."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery import signals
from celery.exceptions import Ignore, Retry
from django.http import HttpRequest, HttpResponseBase
from opentelemetry import context, propagate
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from jobs.context import ActiveRun
from jobs.ledger import Claim

#: Said by OTEL_SERVICE_NAME otherwise.
SERVICE = "almanac"

_lock = threading.Lock()
_providers: dict[int, TracerProvider] = {}


def _tracer() -> Tracer:
    """This process's tracer: a forked one has no sender of its own yet, since threads are not inherited."""
    pid = os.getpid()
    with _lock:
        if pid not in _providers:
            _providers.clear()
            name = os.environ.get("OTEL_SERVICE_NAME", SERVICE)  # the standard's own variable
            provider = TracerProvider(resource=Resource.create({"service.name": name}))
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            _providers[pid] = provider
        return _providers[pid].get_tracer("almanac")


@signals.worker_process_shutdown.connect(weak=False)
def flush(**kwargs: object) -> None:
    """Send what is left: a child of a worker ends without Python's own ceremony."""
    provider = _providers.get(os.getpid())
    if provider is not None:
        provider.force_flush(timeout_millis=3000)


def traceparent() -> str:
    """See `jobs.tracing.traceparent`."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def of_attempt(claim: Claim, began: int) -> Iterator[None]:
    """See `jobs.tracing.of_attempt`."""
    attributes: dict[str, Any] = {
        "almanac.run_id": str(claim.run_id),
        "almanac.job": claim.job,
        "almanac.attempt": claim.attempt,
    }
    if claim.schedule_id is not None:
        attributes["almanac.schedule"] = claim.schedule_id
    asked = propagate.extract({"traceparent": claim.traceparent}) if claim.traceparent else context.Context()
    tracer = _tracer()
    with tracer.start_as_current_span(
        f"run {claim.job}",
        context=asked,
        kind=SpanKind.CONSUMER,
        attributes=attributes,
        start_time=began,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        tracer.start_span("claim", start_time=began).end()
        try:
            yield
        except (Ignore, Retry):  # what Celery wants to hear; nothing broke here
            raise
        except Exception as error:
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


@contextmanager
def of_body(run: ActiveRun) -> Iterator[None]:
    """See `jobs.tracing.of_body`."""
    with of("execute"):
        steps = _Steps()
        run.on_step = steps.begin
        try:
            yield
        except BaseException as error:
            steps.end(error)
            raise
        else:
            steps.end()
        finally:
            run.on_step = None


@contextmanager
def of(name: str) -> Iterator[Span]:
    """See `jobs.tracing.of`. An error is noted and goes on; a cancel is no error."""
    with _tracer().start_as_current_span(name) as span:
        yield span


class _Steps:
    """The step that a body is in: ended by the next one, or with the body."""

    def __init__(self) -> None:
        self._parent = context.get_current()
        self._span: Span | None = None

    def begin(self, name: str) -> None:
        self.end()
        self._span = _tracer().start_span(f"step {name}", context=self._parent)

    def end(self, error: BaseException | None = None) -> None:
        span, self._span = self._span, None
        if span is None:
            return
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        span.end()


class TraceRequests:
    """Middleware: the span of a request, part of the caller's trace when it sends one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with _tracer().start_as_current_span(
            request.method or "HTTP",
            context=propagate.extract(dict(request.headers.items()), getter=_Headers()),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method or "", "url.path": request.path},
        ) as span:
            response = self._get_response(request)
            match = request.resolver_match
            if match is not None:
                span.update_name(f"{request.method} {match.route}")
                span.set_attribute("http.route", match.route)
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("almanac.request_id", response.headers.get("X-Request-ID", ""))
            if response.status_code >= 500:
                span.set_status(StatusCode.ERROR)
            return response


class _Headers(Getter[dict[str, str]]):
    """Headers have no case."""

    def get(self, carrier: dict[str, str], key: str) -> list[str] | None:
        found = [value for name, value in carrier.items() if name.lower() == key.lower()]
        return found or None

    def keys(self, carrier: dict[str, str]) -> list[str]:
        return list(carrier)
