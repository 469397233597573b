"""The outage drill: the broker dies, 200 slots pass, and it comes back.

Schedules fire while the broker is away, for five minutes (`--seconds`), or 25 seconds with `--quick`. Afterwards each
slot must have run, there must have been one alert in all, the incident, and it must have ended by itself with a
notice that says so. The history of the incident is printed.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

from django.contrib.auth.models import User
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from benchmarks import SERVERS
from benchmarks.harness import Process, Row, main, wait_until
from benchmarks.tasks import do_nothing
from jobs.alerts.names import BROKER_DOWN
from jobs.models import Alert, AlertEvent, AlertWatch, JobRun, ProcessHeartbeat, SchedulePolicy

SLOTS = 200
#: Slots of each schedule.
EACH = 5
QUICK_SECONDS, FULL_SECONDS = 25, 300
#: How long it may take until all slots have run and the incident is closed, beside the length of the outage.
SETTLE_SECONDS = 90


def measure(quick: bool, *, seconds: int | None) -> list[Row]:
    """What an outage of so many seconds leaves behind."""
    seconds = seconds or (QUICK_SECONDS if quick else FULL_SECONDS)
    with running():
        begins = make_schedules(seconds)
        time.sleep(max(begins - time.time() - 2, 0))
        SERVERS.kill_broker()
        time.sleep(max(begins + seconds - time.time(), 0))
        came_back = time.time()
        SERVERS.start_broker()
        wait_until(all_is_over, seconds=SETTLE_SECONDS, what="the slots to run and the incident to close")
        took = time.time() - came_back
    tell()
    return rows(took)


@contextmanager
def running() -> Iterator[None]:
    """A worker and a scheduler, both seen by the watch, and somebody whom notices can reach."""
    User.objects.create_superuser("administrator")
    environment = {"JOBS_TICK_SECONDS": "0.5", "JOBS_REPUBLISH_SECONDS": "5"}
    worker = Process("celery", "-A", "config", "worker", "-c", "2", **environment)
    beat = Process("celery", "-A", "config", "beat", **environment)
    with worker, beat:
        try:
            wait_until(lambda: ProcessHeartbeat.objects.count() == 2, seconds=60, what="worker and scheduler")
            wait_until(
                lambda: AlertWatch.objects.filter(broker_seen_at__isnull=False).exists(),
                seconds=30,
                what="a first look of the watch",
            )
            yield
        except BaseException:
            print(worker.output[-3000:], beat.output[-3000:], sep="\n")
            raise


def make_schedules(seconds: int) -> float:
    """Schedules whose slots all fall into the outage; returns the Unix time at which the first may come."""
    period = max(seconds // EACH, 1)
    begins = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=5)
    interval = IntervalSchedule.objects.create(every=period, period=IntervalSchedule.SECONDS)
    for number in range(SLOTS // EACH):
        PeriodicTask.objects.create(
            name=f"schedule {number}",
            task=do_nothing.name,
            interval=interval,
            start_time=begins,
            expires=begins + timedelta(seconds=period * EACH),
        )
    SchedulePolicy.objects.filter(task__task=do_nothing.name).update(catch_up=SchedulePolicy.CatchUp.ALL)
    connection.close()
    return begins.timestamp()


def all_is_over() -> bool:
    slots = JobRun.objects.filter(job=do_nothing.name)
    unresolved = Alert.objects.exclude(state=Alert.State.RESOLVED)
    return slots.count() >= SLOTS and not slots.active().exists() and not unresolved.exists()


def tell() -> None:
    """The incident as its page shows it."""
    for event in AlertEvent.objects.select_related("alert").order_by("pk"):
        silent = " (silent)" if event.is_silent else ""
        print(f"{event.at:%H:%M:%S}  {event.alert.title}: {event.get_what_display()}{silent}. {event.note}")


def rows(took: float) -> list[Row]:
    ran = JobRun.objects.filter(job=do_nothing.name, status=JobRun.Status.SUCCEEDED).count()
    alerts = Alert.objects.exclude(state=Alert.State.PENDING)
    incidents = alerts.filter(kind=BROKER_DOWN, incident=None).count()
    others = alerts.filter(incident=None).exclude(kind=BROKER_DOWN).count()
    notices = AlertEvent.objects.filter(alert__kind=BROKER_DOWN, what="resolved", is_silent=False).count()
    return [
        Row(name="lost slots", value=SLOTS - ran, unit=f"of {SLOTS}", target="0", ok=ran == SLOTS),
        Row(name="incidents", value=incidents, unit="", target="1", ok=incidents == 1),
        Row(name="other alerts", value=others, unit="", target="0", ok=others == 0),
        Row(name="recovery notices", value=notices, unit="", target="1", ok=notices == 1),
        Row(
            name="all slots run, incident closed",
            value=took,
            unit="s after the end",
            target=f"< {SETTLE_SECONDS}",
            ok=took < SETTLE_SECONDS,
        ),
    ]


def chosen() -> tuple[int | None, list[str]]:
    """The length of the outage, and the arguments that every benchmark has."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seconds", type=int)
    ours, others = parser.parse_known_args(sys.argv[1:])
    if ours.seconds is not None and ours.seconds < QUICK_SECONDS:
        parser.error(f"an outage below {QUICK_SECONDS} seconds may pass unnoticed")
    return ours.seconds, others


if __name__ == "__main__":
    length, arguments = chosen()
    main("outage", __doc__, partial(measure, seconds=length), arguments=arguments)
