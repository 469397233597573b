"""How fast due schedules become runs on the broker, beside django-celery-beat's DatabaseScheduler.

Both schedulers work on the same rows of the same database, one after the other, in this process. Half of the
schedules are hourly crontabs and half hourly intervals. Ours ticks once a second as in `celery beat`, so its lag
includes the wait for the tick.
"""

import math
import statistics
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from celery import signals
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from benchmarks import stock
from benchmarks.harness import Row, execute, main, percentile, stopwatch
from benchmarks.tasks import do_nothing
from config import celery_app
from jobs.models import JobRun
from jobs.scheduler import SlotScheduler
from tests.servers import broker_client

HOUR_AGO = timedelta(hours=1, minutes=30)

MAKE_TIMINGS = """
INSERT INTO django_celery_beat_crontabschedule (minute, hour, day_of_week, day_of_month, month_of_year, timezone)
VALUES ('0', '*', '*', '*', '*', 'UTC');
INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'hours');
"""
MAKE_SCHEDULES = """
INSERT INTO django_celery_beat_periodictask (
    name, task, args, kwargs, enabled, one_off, total_run_count, date_changed, description, headers,
    crontab_id, interval_id, last_run_at)
SELECT 'schedule ' || n, %s, '[]', '{}', true, false, 0, now(), '', '{}',
    CASE WHEN n %% 2 = 0 THEN (SELECT min(id) FROM django_celery_beat_crontabschedule) END,
    CASE WHEN n %% 2 = 1 THEN (SELECT min(id) FROM django_celery_beat_intervalschedule) END, now()
FROM generate_series(%s::int, %s::int) AS n
"""
#: As the scheduler leaves them after planning: next slots in the hour to come.
PLAN = """
UPDATE jobs_schedulepolicy SET is_stale = false, anchor_at = date_trunc('hour', now()),
    next_slot_at = now() + interval '10 minutes' + random() * interval '50 minutes'
"""
MAKE_DUE = """
UPDATE jobs_schedulepolicy SET next_slot_at = %s
WHERE task_id IN (SELECT id FROM django_celery_beat_periodictask ORDER BY id LIMIT %s)
"""
MAKE_DUE_FOR_STOCK = """
UPDATE django_celery_beat_periodictask SET last_run_at = %s
WHERE id IN (SELECT id FROM django_celery_beat_periodictask ORDER BY id LIMIT %s)
"""


@dataclass(frozen=True)
class Pace:
    """Seconds from one dispatch to the next, over so many."""

    seconds: float
    dispatches: int


def measure(quick: bool) -> list[Row]:
    """The three rows on scheduling: a burst (ten thousand and a thousand due), an edit, an idle tick."""
    size, crowd = 10_000, 20_000 if quick else 100_000
    execute(MAKE_TIMINGS)
    schedule(1, size)
    ours = new_scheduler()
    burst = publish_due(ours, size)
    thousand = publish_due(ours, 1_000)
    pace = dispatch_with_stock(size, dispatches=50 if quick else 400)
    peer = new_stock_scheduler()
    edits, stock_edits = time_ticks_after_edits(ours, 20), time_ticks_after_edits(peer, 2 if quick else 4)
    stock_idle = time_ticks(peer, 20)
    schedule(size + 1, crowd)
    idle = time_ticks(ours, 200)
    assert_nothing_was_repeated(size + 1_000)
    return [
        burst_row(burst, pace, size),
        lag_row(thousand, pace),
        edit_row(edits, stock_edits, size),
        idle_row(idle, stock_idle, crowd, size),
    ]


def burst_row(lags: list[float], pace: Pace, size: int) -> Row:
    seconds, peer = max(lags), pace.seconds * size
    return Row(
        name=f"{size:,} schedules due together, all published",
        value=round(seconds, 2),
        unit="s",
        peer=round(peer, 1),
        ratio=round(peer / seconds, 1),
        target="< 15 s",
        ok=seconds < 15,
        note=f"peer: {1000 * pace.seconds:.1f} ms a dispatch, over {pace.dispatches}",
    )


def lag_row(lags: list[float], pace: Pace) -> Row:
    value, peer = percentile(lags, 99), pace.seconds * len(lags) * 0.99
    return Row(
        name=f"slot to broker, p99 at {len(lags):,} due",
        value=round(value, 3),
        unit="s",
        peer=round(peer, 1),
        ratio=round(peer / value, 1),
        target="< 2 s",
        ok=value < 2,
        note="peer: at the same pace",
    )


def edit_row(ticks: list[float], stock_ticks: list[float], size: int) -> Row:
    value, peer = 1000 * statistics.median(ticks), 1000 * statistics.median(stock_ticks)
    return Row(
        name=f"tick after editing one of {size:,}",
        value=round(value, 2),
        unit="ms",
        peer=round(peer),
        ratio=round(peer / value, 1),
        target="< 50 ms",
        ok=value < 50,
        note=f"worst {1000 * max(ticks):.1f} ms of {len(ticks)}",
    )


def idle_row(ticks: list[float], stock_ticks: list[float], crowd: int, size: int) -> Row:
    value, peer = 1000 * statistics.median(ticks), 1000 * statistics.median(stock_ticks)
    return Row(
        name=f"idle tick, {crowd:,} schedules",
        value=round(value, 2),
        unit="ms",
        peer=round(peer, 1),
        ratio=round(peer / value, 1),
        target="< 5 ms",
        ok=value < 5,
        note=f"p95 {1000 * percentile(ticks, 95):.1f} ms; peer at {size:,}",
    )


def schedule(first: int, last: int) -> None:
    """Make schedules of that numbering, planned and not due."""
    execute(MAKE_SCHEDULES, [do_nothing.name, first, last])
    execute(PLAN)
    for table in ("django_celery_beat_periodictask", "jobs_schedulepolicy"):
        execute(f"VACUUM ANALYZE {table}")


def new_scheduler() -> SlotScheduler:
    scheduler = SlotScheduler(app=celery_app, lazy=True)
    scheduler.tick()
    return scheduler


def new_stock_scheduler() -> DatabaseScheduler:
    scheduler = DatabaseScheduler(app=stock.app, lazy=True)
    PeriodicTask.objects.filter(name="celery.backend_cleanup").delete()
    touch_one(0)
    scheduler.tick()  # reads the schedules
    scheduler.tick()  # notes the time of the latest edit; it sees only edits after that
    return scheduler


class Witness(threading.Thread):
    """Looks every few milliseconds at how many messages the broker holds: when each of them got there."""

    def __init__(self, count: int) -> None:
        super().__init__(daemon=True)
        self.arrived_at: list[float] = []
        self._count = count
        self._stopped = threading.Event()

    def run(self) -> None:
        with broker_client(celery_app.conf.broker_url) as client:
            while len(self.arrived_at) < self._count and not self._stopped.wait(0.005):
                self.arrived_at += [time.time()] * (messages_held(client) - len(self.arrived_at))

    def __enter__(self) -> "Witness":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()


def publish_due(scheduler: SlotScheduler, count: int) -> list[float]:
    """Seconds from the common slot to each message on the broker, with the loop of `celery beat`."""
    slot = datetime.fromtimestamp(math.ceil(time.time()) + 1, UTC)
    execute(MAKE_DUE, [slot, count])
    with Witness(count) as witness:
        while len(witness.arrived_at) < count:
            time.sleep(scheduler.tick())
    empty_broker(expected=count)
    execute("UPDATE jobs_jobrun SET status = 'succeeded' WHERE status = 'queued'")
    return [at - slot.timestamp() for at in witness.arrived_at]


def messages_held(client: redis.Redis) -> int:
    """How many messages wait in the job's queue, which is one list for each priority."""
    return sum(client.llen(key) for key in client.keys(f"{do_nothing.queue}*"))


def empty_broker(*, expected: int) -> None:
    with broker_client(celery_app.conf.broker_url) as client:
        held = messages_held(client)
        assert held == expected, f"the broker holds {held} messages of {expected}"
        client.flushdb()


def dispatch_with_stock(count: int, *, dispatches: int) -> Pace:
    """The stock scheduler's pace: each of its ticks dispatches one schedule, so a few hundred tell."""
    execute(MAKE_DUE_FOR_STOCK, [timezone.now() - HOUR_AGO, count])
    scheduler = new_stock_scheduler()
    times: list[float] = []
    signals.after_task_publish.connect(note := lambda **_: times.append(time.time()))
    while len(times) <= dispatches:
        scheduler.tick()
    signals.after_task_publish.disconnect(note)
    scheduler.sync()
    execute("UPDATE django_celery_beat_periodictask SET last_run_at = now()")
    with broker_client(celery_app.conf.broker_url) as client:
        client.flushdb()
    return Pace(seconds=(times[-1] - times[0]) / dispatches, dispatches=dispatches)


def touch_one(number: int) -> None:
    """Edit a schedule as a form would: another interval, which moves its slots."""
    task = PeriodicTask.objects.exclude(interval=None).order_by("-id")[number]
    task.interval, _ = IntervalSchedule.objects.get_or_create(every=61 + number, period="minutes")
    task.save()


def time_ticks_after_edits(scheduler: Any, count: int) -> list[float]:
    durations = []
    for number in range(1, count + 1):
        touch_one(number)
        with stopwatch() as elapsed:
            scheduler.tick()
        durations.append(elapsed())
    return durations


def time_ticks(scheduler: Any, count: int) -> list[float]:
    durations = []
    for _ in range(count):
        with stopwatch() as elapsed:
            scheduler.tick()
        durations.append(elapsed())
        time.sleep(0.02)
    return durations


def assert_nothing_was_repeated(expected: int) -> None:
    count = JobRun.objects.count()
    assert count == expected, f"{count} runs for {expected} slots"


if __name__ == "__main__":
    main("dispatch", __doc__, measure)
