"""The pace of services, kept over threads and processes."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from django.db import connection, transaction

from knowledge import rates
from knowledge.errors import ConnectorUnavailable
from knowledge.models import ServicePace
from knowledge.rates import Attendance, Pace

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]

IN_ANOTHER_PROCESS = """
import sys, time, django
django.setup()
from knowledge import rates
pace = rates.Pace("remote", float(sys.argv[1]), one_at_a_time=sys.argv[2] == "alone")
for _ in range(int(sys.argv[3])):
    with rates.turn(pace):
        began = time.time()
        time.sleep(float(sys.argv[4]))
        print(began, time.time(), flush=True)
"""


class Stop(Exception):
    """Somebody cancels."""


def in_threads(count: int, work: Callable[[], None]) -> None:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(run) for _ in range(count)]:
            done.result(timeout=60)


def in_processes(
    database_url: str, count: int, *, spacing: float, alone: bool, turns: int, takes: float
) -> list[tuple[float, float]]:
    """When the requests of several processes began and ended, in order."""
    command = [
        sys.executable,
        "-c",
        IN_ANOTHER_PROCESS,
        str(spacing),
        "alone" if alone else "-",
        str(turns),
        str(takes),
    ]
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
    }
    children = [
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    found = []
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        found += [(float(began), float(ended)) for began, ended in map(str.split, output.splitlines())]
    assert len(found) == count * turns
    return sorted(found)


def test_turns_of_many_threads_keep_their_distance():
    began: list[float] = []
    pace = Pace("pubmed", 0.05)

    def ask() -> None:
        for _ in range(4):
            with rates.turn(pace):
                began.append(time.monotonic())

    in_threads(4, ask)
    began.sort()
    assert len(began) == 16
    assert min(later - earlier for earlier, later in pairwise(began)) > 0.03
    assert began[-1] - began[0] >= 15 * 0.05 - 0.03
    assert began[-1] - began[0] < 15 * 0.05 * 3, "turns are given away slowly"


def test_processes_share_one_pace(database_url):
    turns = in_processes(database_url, 3, spacing=0.2, alone=False, turns=3, takes=0.0)
    assert min(later[0] - earlier[0] for earlier, later in pairwise(turns)) > 0.15


def test_one_at_a_time_means_over_all_processes_and_counts_from_the_end(database_url):
    turns = in_processes(database_url, 3, spacing=0.15, alone=True, turns=2, takes=0.1)
    assert min(later[0] - earlier[1] for earlier, later in pairwise(turns)) > 0.1


def test_requests_may_overlap_where_only_the_rate_counts():
    at_once = threading.Barrier(2)

    def ask() -> None:
        with rates.turn(Pace("pubmed", 0.01)):
            at_once.wait(timeout=20)

    in_threads(2, ask)


def test_a_request_that_died_is_forgotten_after_its_lease(monkeypatch):
    monkeypatch.setattr(rates, "LEASE_SECONDS", 0.3)
    pace = Pace("arxiv", 0.01, one_at_a_time=True)
    died = rates.turn(pace)
    died.__enter__()
    began = time.monotonic()
    with rates.turn(pace):
        assert 0.2 < time.monotonic() - began < 5
        died.__exit__(None, None, None)  # it comes back late, and must not end the turn of another
        row = ServicePace.objects.get(service="arxiv")
        assert row.holder and row.busy_until is not None
    assert ServicePace.objects.get(service="arxiv").busy_until is None


def test_a_turn_ends_when_the_request_fails():
    pace = Pace("arxiv", 0.01, one_at_a_time=True)
    with pytest.raises(Stop), rates.turn(pace):
        raise Stop
    with rates.turn(pace):
        pass


def test_a_hold_stops_everybody_and_says_why():
    told: list[str] = []
    rates.hold("pubmed", 2.5, "API rate limit exceeded")
    began = time.monotonic()
    with rates.turn(Pace("pubmed", 0.01), Attendance(tell=told.append)):
        assert time.monotonic() - began > 2.4
    assert told == ["Waiting 3 s to ask pubmed: API rate limit exceeded."]
    with rates.turn(Pace("europepmc", 0.01)):
        pass  # others are not concerned


def test_a_shorter_hold_does_not_shorten_a_longer_one():
    rates.hold("pubmed", 200, "long")
    rates.hold("pubmed", 1, "short")
    row = ServicePace.objects.get(service="pubmed")
    assert row.hold_reason == "long"
    rates.release("pubmed")
    with rates.turn(Pace("pubmed", 0.01)):
        pass


def test_a_long_hold_sends_the_asker_away_with_the_time_to_come_back():
    rates.hold("arxiv", 4_000, "Rate exceeded.")
    with (
        pytest.raises(
            ConnectorUnavailable, match=r"arxiv is left alone for another \d+ s: Rate exceeded"
        ) as caught,
        rates.turn(Pace("arxiv", 3, one_at_a_time=True)),
    ):
        pytest.fail("it was asked")
    assert 3_900 < (caught.value.retry_after or 0) <= 4_000


def test_waiting_for_a_turn_can_be_cancelled():
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() - began > 0.3:
            raise Stop

    rates.hold("arxiv", 60, "busy")
    with pytest.raises(Stop), rates.turn(Pace("arxiv", 3), Attendance(check=check)):
        pytest.fail("it was asked")
    assert time.monotonic() - began < 2
    rates.release("arxiv")
    with rates.turn(Pace("arxiv", 3)):
        pass  # whoever gave up has left nothing behind


def test_turns_are_not_taken_inside_a_transaction():
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"), rates.turn(Pace("pubmed", 1)):
        pytest.fail("it was asked")
