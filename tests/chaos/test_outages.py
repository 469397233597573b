"""Outages are noticed by those who are left, told of once, and once more when they are over."""

import re
import time
from datetime import datetime, timedelta

import pytest
from django.db.models import F
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.models import Alert, AlertEvent, AlertWatch, JobRun, ProcessHeartbeat, SchedulePolicy
from tests.chaos.world import World, eventually

pytestmark = pytest.mark.chaos


def an_hourly_schedule() -> None:
    """Planned by the scheduler that runs."""
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="hourly", task="testing.do_nothing", interval=hourly)
    eventually(SchedulePolicy.objects.filter(next_slot_at__isnull=False).exists, "it is planned")


def tell(world: World) -> str:
    """What the alerts say, for the message of a failed test."""
    alerts = [f"{alert.kind} {alert.state} {alert.context} {alert.message}" for alert in Alert.objects.all()]
    return "\n".join([*alerts, *told(), world.logs()])


def told() -> list[str]:
    events = AlertEvent.objects.filter(is_silent=False).select_related("alert").order_by("pk")
    return [f"{event.alert.kind} {event.what}" for event in events]


def let_time_pass(*, seconds: int) -> None:
    """Age the last signs of life of dead schedulers: nobody need sit through the patience with them."""
    earlier = timedelta(seconds=seconds)
    beats = ProcessHeartbeat.objects.filter(kind=ProcessHeartbeat.Kind.BEAT)
    beats.update(seen_at=F("seen_at") - earlier)
    AlertWatch.objects.update(scheduler_seen_at=F("scheduler_seen_at") - earlier)


@pytest.mark.timeout(240)
def test_workers_notice_that_no_scheduler_is_left_and_that_one_is_back(world: World) -> None:
    world.worker()
    world.beat()
    an_hourly_schedule()
    eventually(lambda: AlertWatch.objects.filter(scheduler_seen_at__isnull=False).exists(), "a look")
    world.stop_beats()
    let_time_pass(seconds=45)
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
    assert re.match(r"It was away for 0 min [1-5]\d s\.", Alert.objects.get().message)


@pytest.mark.timeout(240)
def test_a_broker_outage_loses_no_slot_and_makes_one_incident(world: World) -> None:
    """The drill of `python -m benchmarks.outage`, as short as an outage can be that is told of."""
    world.worker()
    world.beat()
    eventually(lambda: AlertWatch.objects.filter(broker_seen_at__isnull=False).exists(), "a look")
    world.stack.kill_broker()
    begins = slots_during_an_outage(schedules=40, each=5, period=3)
    time.sleep(max(begins + timedelta(seconds=18) - timezone.now(), timedelta()).total_seconds())
    assert JobRun.objects.filter(status=JobRun.Status.SUCCEEDED).count() == 0
    world.stack.start_broker()
    unresolved = Alert.objects.exclude(state=Alert.State.RESOLVED)
    eventually(
        lambda: (
            JobRun.objects.filter(status=JobRun.Status.SUCCEEDED).count() == 200 and not unresolved.exists()
        ),
        "all slots have run and the incident is over",
        timeout=90,
        tell=lambda: tell(world),
    )
    assert JobRun.objects.count() == 200
    assert told() == ["jobs.broker_down opened", "jobs.broker_down resolved"]
    assert not Alert.objects.filter(incident=None).exclude(kind="jobs.broker_down").exists(), tell(world)


def slots_during_an_outage(*, schedules: int, each: int, period: int) -> datetime:
    """Schedules with so many slots each, which all may be caught up with; returns when the first ones come."""
    begins = timezone.now().replace(microsecond=0) + timedelta(seconds=2)
    interval = IntervalSchedule.objects.create(every=period, period="seconds")
    for number in range(schedules):
        PeriodicTask.objects.create(
            name=f"outage {number}",
            task="testing.do_nothing",
            interval=interval,
            start_time=begins,
            expires=begins + timedelta(seconds=period * each),
        )
    SchedulePolicy.objects.update(catch_up=SchedulePolicy.CatchUp.ALL)
    return begins
