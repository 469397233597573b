"""Where the stock scheduler (django-celery-beat 2.9) goes wrong, and ours must not.

Where it is cheap, the stock scheduler's own failure stands in the same test: a release that mends it shows up here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import current_app
from celery.schedules import crontab
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry
from django_celery_beat.tzcrontab import TzAwareCrontab

from jobs import outbox, slots
from jobs.models import JobRun, SchedulePolicy
from jobs.scheduler import SlotScheduler
from jobs.tests.schedules_for_tests import JOB, at, crontab_row, edited_at, outcomes, runs, schedule, tick

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

pytestmark = pytest.mark.django_db


class StockScheduler(DatabaseScheduler):  # type: ignore[misc]
    """The stock scheduler, noting what it would send."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app=current_app)
        self._finalize.cancel()

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        self.sent.append(entry.name)
        if advance:
            self.reserve(entry)


class ClockedCrontab(TzAwareCrontab):  # type: ignore[misc]
    """The stock crontab with a clock that the test turns."""

    now_is: datetime

    def nowfunc(self) -> datetime:
        return self.now_is.astimezone(self.tz)


@pytest.fixture
def our_scheduler() -> Iterator[SlotScheduler]:
    scheduler = SlotScheduler(app=current_app, lazy=True)
    yield scheduler
    scheduler.close()


# 1. The cost of a tick grows with the number of schedules.


def test_the_queries_of_a_tick_do_not_grow_with_the_schedules_or_with_the_due_ones() -> None:
    made, due = at("2026-03-01 08:59"), at("2026-03-01 09:00")

    def queries_for(count: int, hour: str) -> int:
        row = crontab_row(f"0 {hour} * * *")
        with edited_at(made):
            PeriodicTask.objects.bulk_create(
                PeriodicTask(name=f"{hour} {number}", task=JOB, kwargs='{"left": 1}', crontab=row)
                for number in range(count)
            )
        slots.plan_stale(made)
        with CaptureQueriesContext(connection) as queries:
            settled, messages = slots.fire_due(due)
        assert settled == len(messages) == count
        return len(queries)

    few = queries_for(3, "9")
    JobRun.objects.all().delete()
    SchedulePolicy.objects.update(next_slot_at=None)
    assert queries_for(300, "09") == few


def test_an_idle_tick_reads_no_schedule_at_all(our_scheduler: SlotScheduler) -> None:
    for number in range(20):
        schedule(crontab_row("0 0 29 2 *"), made_at=timezone.now(), name=f"rare {number}")
    our_scheduler.work()
    with CaptureQueriesContext(connection) as queries:
        our_scheduler.work()
    assert not [query for query in queries if "django_celery_beat" in query["sql"]]


# 2. Slots missed while no scheduler ran fire at a wrong time, or on a wrong day.


@pytest.mark.parametrize(
    ("expression", "missed"), [("0 3 * * *", "2026-03-03"), ("0 3 * * tue", "2026-03-03")]
)
def test_a_slot_missed_for_hours_is_made_up_for_once_and_the_next_keeps_its_time(
    expression: str, missed: str
) -> None:
    daily = schedule(crontab_row(expression), made_at=at("2026-03-02 12:00"))
    tick(at(f"{missed} 02:55"))
    tick(at(f"{missed} 06:30"))  # no scheduler ran in between
    assert runs(daily) == [at(f"{missed} 03:00")]
    for minute in range(0, 24 * 60, 30):
        tick(at(f"{missed} 06:30") + timedelta(minutes=minute))
    following = [at("2026-03-04 03:00")] if expression == "0 3 * * *" else []
    assert runs(daily) == [at(f"{missed} 03:00"), *following]


def test_a_slot_missed_for_longer_than_its_window_is_recorded_and_not_run() -> None:
    daily = schedule(crontab_row("0 3 * * *"), made_at=at("2026-03-02 12:00"))
    SchedulePolicy.objects.update(catch_up_window_seconds=3600)
    tick(at("2026-03-03 02:55"))
    tick(at("2026-03-03 06:30"))
    assert outcomes(daily) == [(at("2026-03-03 03:00"), JobRun.Status.MISSED)]


# 3. Enabling runs at once what was due while the schedule was off.


def test_enabling_never_fires_the_past() -> None:
    week_ago, hour_ago = timezone.now() - 7 * DAY, timezone.now() - HOUR
    row = crontab_row(f"{hour_ago.minute} {hour_ago.hour} * * *")
    daily = schedule(row, made_at=week_ago, enabled=False)
    PeriodicTask.objects.filter(pk=daily.pk).update(date_changed=week_ago)
    tick(week_ago)

    PeriodicTask.objects.filter(pk=daily.pk).update(enabled=True)  # as the stock admin's action does

    assert ModelEntry(PeriodicTask.objects.get(pk=daily.pk)).is_due().is_due, (
        "the stock scheduler fires at once"
    )
    assert tick(timezone.now()) == []
    assert outcomes(daily) == []
    policy = SchedulePolicy.objects.get(pk=daily.pk)
    assert policy.next_slot_at == hour_ago.replace(second=0, microsecond=0) + DAY


def test_a_start_time_in_the_past_does_not_fire_at_once() -> None:
    now = timezone.now()
    later = now + HOUR
    row = crontab_row(f"{later.minute} {later.hour} * * *")
    daily = schedule(row, made_at=now, start_time=now - DAY)

    assert ModelEntry(PeriodicTask.objects.get(pk=daily.pk)).is_due().is_due, (
        "the stock scheduler fires at once"
    )
    assert tick(now) == []
    assert SchedulePolicy.objects.get(pk=daily.pk).next_slot_at == later.replace(second=0, microsecond=0)


# 4. A crash of the scheduler repeats or loses what it sent last.


def test_a_crash_after_the_commit_repeats_nothing_and_loses_nothing() -> None:
    daily = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-01 08:00"))
    tick(at("2026-03-01 08:00"))
    sent_by_the_dead = tick(at("2026-03-01 09:00"))
    assert len(sent_by_the_dead) == 1  # it died with the message in its hands

    assert tick(at("2026-03-01 09:01")) == []
    assert runs(daily) == [at("2026-03-01 09:00")]
    JobRun.objects.update(published_at=timezone.now() - DAY)
    assert outbox.sweep() == 1, "the outbox sends the run that nobody took"


def test_a_crash_before_the_commit_leaves_the_slot_to_the_next_scheduler() -> None:
    daily = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-01 08:00"))
    tick(at("2026-03-01 08:00"))
    with transaction.atomic():
        assert len(tick(at("2026-03-01 09:00"))) == 1
        transaction.set_rollback(True)
    assert outcomes(daily) == []

    assert len(tick(at("2026-03-01 09:01"))) == 1
    assert runs(daily) == [at("2026-03-01 09:00")]


@pytest.mark.django_db(transaction=True)
def test_a_crash_does_not_repeat_a_clocked_run_and_the_stock_scheduler_does() -> None:
    now = timezone.now()
    clocked = ClockedSchedule.objects.create(clocked_time=now - timedelta(seconds=1))
    with edited_at(now - DAY):
        once = PeriodicTask.objects.create(
            name="once", task=JOB, kwargs='{"left": 1}', clocked=clocked, one_off=True
        )
    for _ in range(2):  # the first dies within three minutes, before it saves anything
        stock = StockScheduler()
        stock.tick()
        assert "once" in stock.sent

    assert len(tick(now)) == 1
    assert tick(now + timedelta(seconds=1)) == []
    assert runs(once) == [clocked.clocked_time]
    once.refresh_from_db()
    assert not once.enabled


# 5. Two schedulers run everything twice.


@pytest.mark.django_db(transaction=True)
def test_two_schedulers_make_one_run_and_two_stock_ones_make_two() -> None:
    now = timezone.now()
    hourly = schedule(IntervalSchedule.objects.create(every=1, period="hours"), made_at=now - DAY)
    PeriodicTask.objects.filter(pk=hourly.pk).update(date_changed=now - DAY)
    stock = [StockScheduler(), StockScheduler()]
    for their_scheduler in stock:
        their_scheduler.tick()
    assert [their_scheduler.sent.count(hourly.name) for their_scheduler in stock] == [1, 1]

    ours = [SlotScheduler(app=current_app, lazy=True) for _ in range(2)]
    for scheduler in ours:
        scheduler.work()
    for scheduler in ours:
        scheduler.close()
    settled = outcomes(hourly)
    assert len(settled) == 24
    assert [later - earlier for (earlier, _), (later, _) in pairwise(settled)] == [HOUR] * 23
    assert runs(hourly) == [settled[-1][0]]


# 6. The repeated hour is lost when clocks go back.


def test_every_five_minutes_runs_twelve_times_in_the_repeated_hour() -> None:
    zone = "America/New_York"
    often = schedule(crontab_row("*/5 * * * *", zone), made_at=at("2026-11-01 00:58", zone))
    start = at("2026-11-01 00:58", zone)
    for minute in range(4 * 60):
        tick(start + timedelta(minutes=minute))
    repeated = [
        slot
        for slot in (slot.astimezone(ZoneInfo(zone)) for slot in runs(often))
        if slot.hour == 1 and slot.fold == 1
    ]
    assert len(repeated) == 12
    assert {later - earlier for earlier, later in pairwise(runs(often))} == {timedelta(minutes=5)}


def test_the_stock_crontab_loses_the_repeated_hour() -> None:
    stock = ClockedCrontab(minute="*/5", tz=ZoneInfo("America/New_York"), app=current_app)
    last_run, fired = at("2026-11-01 00:58", "America/New_York"), []
    for minute in range(4 * 60):
        stock.now_is = at("2026-11-01 00:58", "America/New_York") + timedelta(minutes=minute)
        if stock.is_due(last_run).is_due:
            last_run = stock.now_is
            fired.append(stock.now_is.astimezone(stock.tz))
    assert [slot for slot in fired if slot.hour == 1 and slot.fold == 1] == []


# 7. The day of the month and the day of the week must both match.


def test_day_of_month_or_day_of_week_is_enough() -> None:
    either = schedule(crontab_row("0 9 1 * 1"), made_at=at("2026-03-31 12:00"))
    for day in range(1, 15):
        tick(at(f"2026-04-{day:02} 09:00"))
    assert [slot.day for slot in runs(either)] == [1, 6, 13]

    start = datetime(2026, 3, 31, 12, tzinfo=UTC)
    stock = crontab(minute="0", hour="9", day_of_month="1", day_of_week="1", nowfun=lambda: start)
    first = start + stock.remaining_estimate(start)
    assert first.date().isoformat() == "2026-06-01", "the stock crontab waits for a Monday the 1st"
