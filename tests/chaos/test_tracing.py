"""Traces of real processes, sent to a small collector of our own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.contrib.auth.models import User
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from rest_framework_simplejwt.tokens import AccessToken

from jobs.models import JobRun, ProcessHeartbeat
from tests.chaos.world import eventually
from tests.drills.programs import ROOT, fetch, free_port, program, until, web

pytestmark = pytest.mark.chaos

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


class Collector:
    """Takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Take(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = ExportTraceServiceRequest.FromString(body)
                for resource in sent.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Take)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def of_trace(self, trace: str) -> dict[str, Span]:
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def test_a_trace_goes_from_the_request_to_the_steps_of_the_run(world, collector, tmp_path):
    world.stop_workers()
    tracing = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "LOG_FORMAT": "json",
    }
    user = User.objects.create_superuser("tracer", "t@example.org", "a long enough password")
    port = free_port()
    options = ["-n", "traced@chaos", "-c", "1", "-l", "INFO", "--without-gossip", "--without-mingle"]
    command = [sys.executable, "-m", "celery", "--app", "config.celery", "--quiet", "worker", *options]
    with (
        program(*command, log=tmp_path / "worker.log", **tracing) as worker,
        web(port, log=tmp_path / "web.log", **tracing),
    ):
        eventually(
            lambda: ProcessHeartbeat.objects.filter(name="traced@chaos").exists(), "the worker is ready"
        )
        for job, parameters, parent in (
            ("testing.count_slowly", {"until": 2}, f"00-{TRACE}-{PARENT}-01"),
            ("testing.log_secrets", {"text": "nothing"}, ""),
            ("testing.fail_for_good", {"as_bug": True}, ""),
        ):
            fetch(
                f"http://127.0.0.1:{port}/api/v1/jobs/{job}/trigger/",
                {
                    "Authorization": f"Bearer {AccessToken.for_user(user)}",
                    "Content-Type": "application/json",
                    **({"traceparent": parent} if parent else {}),
                },
                post=json.dumps({"parameters": parameters}).encode(),
            )
        world.settled()
        until(lambda: collector.named("run testing.fail_for_good"), "the last span came", worker)
    user.delete()
    spans = collector.of_trace(TRACE)
    assert set(spans) == {
        "POST api/v1/jobs/<name:name>/trigger/",
        "run testing.count_slowly",
        "claim",
        "execute",
        "step Warming up",
        "step Counting",
        "record outcome",
    }
    parents = {name: span.parent_span_id for name, span in spans.items()}
    ids = {name: span.span_id for name, span in spans.items()}
    request, run = "POST api/v1/jobs/<name:name>/trigger/", "run testing.count_slowly"
    assert parents[request].hex() == PARENT
    assert parents[run] == ids[request]
    assert {parents[name] for name in ("claim", "execute", "record outcome")} == {ids[run]}
    assert {parents[name] for name in ("step Warming up", "step Counting")} == {ids["execute"]}
    assert spans["claim"].start_time_unix_nano == spans[run].start_time_unix_nano
    attributes = {one.key: one.value.string_value for one in spans[run].attributes}
    counted = JobRun.objects.get(job="testing.count_slowly")
    assert attributes["almanac.run_id"] == str(counted.id)
    (failed,) = collector.named("run testing.fail_for_good")
    assert failed.status.code == Status.STATUS_CODE_ERROR
    assert failed.trace_id.hex() != TRACE
    (logged,) = collector.named("run testing.log_secrets")
    said = next(line for line in worker.lines() if line["event"] == "from the body")
    assert said["trace_id"] == logged.trace_id.hex()


def test_without_an_address_nothing_of_opentelemetry_is_imported():
    code = (
        "import sys, django; django.setup()\n"
        "import config.wsgi, config.celery, jobs.runner, jobs.scheduler, jobs.remote.commands\n"
        "from jobs import tracing\n"
        "assert tracing.traceparent() == '' and tracing.now() == 0\n"
        "assert tracing.of('x') is tracing.of_body(None) is tracing.of_attempt(None, 0)\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk') or name == 'jobs.spans'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_address_without_the_packages_is_refused_in_one_sentence():
    code = (
        "import sys, django\n"
        "sys.modules['opentelemetry'] = None\n"
        "django.setup()\n"
        "from jobs import tracing\n"
        "from django.core.exceptions import ImproperlyConfigured\n"
        "try:\n    tracing.traceparent()\n"
        "except ImproperlyConfigured as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "requirements-otel.txt" in done.stdout
