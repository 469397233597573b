"""Outages are noticed by those who are left, told of once, and once more when they are over."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.models import Alert, AlertEvent, AlertWatch
from tests.chaos.world import World, eventually

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = pytest.mark.chaos


def an_hourly_schedule() -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="hourly", task="testing.do_nothing", interval=hourly)


def tell(world: World) -> str:
    """What the alerts say, for the message of a failed test."""
    alerts = [f"{alert.kind} {alert.state} {alert.context} {alert.message}" for alert in Alert.objects.all()]
    return "\n".join([*alerts, *told(), world.logs()])


def told() -> list[str]:
    events = AlertEvent.objects.filter(is_silent=False).select_related("alert").order_by("pk")
    return [f"{event.alert.kind} {event.what}" for event in events]


@pytest.mark.timeout(240)
def test_workers_notice_that_no_scheduler_is_left_and_that_one_is_back(world: World) -> None:
    world.worker()
    world.beat()
    an_hourly_schedule()
    eventually(lambda: AlertWatch.objects.filter(scheduler_seen_at__isnull=False).exists(), "a look")
    world.stop_beats()
    open_alerts = Alert.objects.filter(kind="jobs.scheduler_silent", state="open")
    eventually(open_alerts.exists, "the silence is noticed", timeout=100, tell=lambda: tell(world))
    world.beat()
    eventually(
        lambda: not open_alerts.exists(), "the return is noticed", timeout=60, tell=lambda: tell(world)
    )
    assert told() == ["jobs.scheduler_silent opened", "jobs.scheduler_silent resolved"]


@pytest.mark.timeout(240)
def test_a_database_that_was_away_is_told_of_once_when_it_is_back(world: World) -> None:
    world.worker()
    world.beat()
    an_hourly_schedule()
    eventually(lambda: AlertWatch.objects.filter(looked_at__isnull=False).exists(), "a look")
    world.stack.stop_database()
    time.sleep(14)
    world.stack.start_database()
    over = Alert.objects.filter(kind="jobs.database_down", state="resolved")
    eventually(over.exists, "the outage is told of and over", timeout=90, tell=lambda: tell(world))
    assert told() == ["jobs.database_down opened", "jobs.database_down resolved"]
    assert Alert.objects.get().message.startswith("It was away for 0 min 1")


@pytest.mark.timeout(300)
def test_the_drill_of_a_broker_outage_loses_no_slot_and_makes_one_incident() -> None:
    inherited = ("BENCHMARK_SERVERS", "DJANGO_SETTINGS_MODULE", "DATABASE_URL", "BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in inherited}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.outage", "--quick"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"name"')]
    assert len(rows) == 5
    assert all(row["ok"] for row in rows)
