"""What it takes to ask for a run over HTTP, beside an empty view of Django REST framework.

`POST /api/v1/jobs/{name}/trigger/` writes the run, commits and sends it; the empty view only authenticates, by the
same token. For reference also a view that writes one row of one column: a commit waits for the disk, which the empty
view never does. All through gunicorn as in production (threads, two processes), in turn over one kept connection.
"""

import http.client
import json
import socket
import statistics
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from django.contrib.auth import get_user_model

from benchmarks.harness import Process, Row, execute, main, percentile, stopwatch, wait_until
from benchmarks.tasks import do_nothing
from jobs.models import JobRun

EMPTY = "/api/v1/benchmarks/empty/"
WRITING = "/api/v1/benchmarks/writing/"
TRIGGER = f"/api/v1/jobs/{do_nothing.name}/trigger/"
LOGIN = "/api/v1/auth/login/"
CREDENTIALS = {"username": "benchmark", "password": "a-password-for-benchmarks"}
#: Every thread of every server process has its connections after these.
WARM_UP = 150
TARGET = 2.0
#: Seconds between two requests: a run is sent after its request was answered, which must not slow the next one down.
PAUSE = 0.005


class Client:
    """One kept connection to the web server."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Content-Type": "application/json"}

    def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, Any]:
        """Status and JSON of the answer."""
        self._connection.request("POST", path, json.dumps(body), self._headers)
        answer = self._connection.getresponse()
        return answer.status, json.loads(answer.read())

    def log_in(self) -> None:
        status, tokens = self.post(LOGIN, CREDENTIALS)
        assert status == 200, tokens
        self._headers["Authorization"] = f"Bearer {tokens['access']}"

    def seconds(self, path: str) -> float:
        """How long one accepted request takes."""
        with stopwatch() as elapsed:
            status, answer = self.post(path, {})
        assert status == 202, answer
        return elapsed()

    def close(self) -> None:
        self._connection.close()


def measure(quick: bool) -> list[Row]:
    """p50 of the trigger beside each peer, in milliseconds."""
    count = 300 if quick else 2_000
    get_user_model().objects.create_superuser(**CREDENTIALS, email="benchmark@example.com")
    execute("CREATE TABLE benchmark_row (id bigint GENERATED ALWAYS AS IDENTITY)")
    port = free_port()
    paths = (TRIGGER, EMPTY, WRITING)
    with web_server(port), closing(Client(port)) as client:
        wait_until(lambda: answers(port), seconds=60, what="the web server")
        client.log_in()
        rounds = [one_round(client, paths) for _ in range(WARM_UP + count)]
    written = JobRun.objects.filter(trigger=JobRun.Trigger.API, publish_count=1).count()
    assert written == WARM_UP + count, f"{written} runs for {WARM_UP + count} requests"
    trigger, empty, writing = (list(column) for column in zip(*rounds[WARM_UP:], strict=True))
    return [
        row("an empty view", trigger, empty),
        row("a view that writes one row", trigger, writing, is_reference=True),
    ]


def row(peer: str, trigger: list[float], other: list[float], *, is_reference: bool = False) -> Row:
    value, floor = statistics.median(trigger), statistics.median(other)
    return Row(
        name=f"trigger request, p50; peer: {peer}",
        value=round(value, 2),
        unit="ms",
        peer=round(floor, 2),
        ratio=round(value / floor, 2),
        target="for reference" if is_reference else f"<= {TARGET:g} x",
        ok=is_reference or value / floor <= TARGET,
        note=f"p95 {percentile(trigger, 95):.1f} : {percentile(other, 95):.1f} ms of {len(trigger)} each",
    )


def one_round(client: Client, paths: tuple[str, ...]) -> list[float]:
    """Milliseconds of each path, once."""
    milliseconds = []
    for path in paths:
        milliseconds.append(1000 * client.seconds(path))
        time.sleep(PAUSE)
    return milliseconds


def web_server(port: int) -> Process:
    return Process(
        *("gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"),
        *("--worker-class", "gthread", "--workers", "2", "--threads", "8"),
        API_USER_RATE="10000000",  # a ceiling that counts and is never reached
    )


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main("trigger", __doc__, measure)
