"""The installation in the pictures: schedules of every state, runs of every outcome, a week behind it, alerts.

Only for `docs/screenshots.py`, which imports it once Django is set up.
"""

import math
import random
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from jobs import schedules, summaries, sync
from jobs.alerts import Subject, changes, raise_alert
from jobs.models import Alert, JobRun, RunSummary, first_run_id
from jobs.schedules import Wish
from jobs.when import When
from publishing import posts
from publishing.models import Agent, Post, Publisher
from publishing.sample.load import load_sample_world
from tests.jobs_for_tests import tasks

_TITLES = (
    "What the tide gauges say",
    "A bridge reopens after the storm",
    "Ferry timetables for the winter",
    "Two new cranes at the east quay",
    "How the harbour froze in 1963",
    "Lock gates, a short history",
    "A walk along the breakwater",
)


def make() -> dict[str, Any]:
    """Schedules of every state, runs of every outcome, and one long run under way."""
    by = User.objects.get()
    load_sample_world(settings.SAMPLE_WORLD_URL)
    sync.sync_schedules()
    morning = Wish(
        name="Morning papers",
        job="publishing.monitor_feeds",
        when=When(cron="30 1 * * *", timezone="Europe/London"),
        parameters={},
        description="Everything is read before the office opens.",
    )
    made = schedules.create(morning, by=by)
    others = {
        "Quarterly sums": ("testing.add_numbers", When(interval="every 15 minutes"), {"left": 2}),
        "Weekday units": ("testing.handle_units", When(cron="0 9 * * mon-fri"), {"good": 4, "bad": 1}),
        "Evening count": ("testing.count_slowly", When(solar=("sunset", 52.5, 13.4)), {"until": 40}),
        "Flaky neighbour": ("testing.fail_transiently", When(interval="every 2 hours"), {}),
    }
    for name, (job, when, parameters) in others.items():
        wish = Wish(name=name, job=job, when=when, parameters=parameters)
        last = schedules.create(wish, by=by)
    schedules.pause(last, note="The other side moves house.", by=by)
    for one in (made, made, last):
        schedules.run_now(one, by=by, trigger=JobRun.Trigger.ADMIN)
    tasks.add_numbers.enqueue(left=19, right=23)
    tasks.fail_for_good.enqueue()
    tasks.fail_for_good.enqueue(as_bug=True)
    tasks.handle_units.enqueue(good=3, bad=1)
    _wait_until(lambda: not JobRun.objects.active().exclude(status="retrying").exists(), 120)
    broken = JobRun.objects.filter(status="failed").exclude(traceback="").first()
    partial = JobRun.objects.filter(job="testing.handle_units", status="partial").first()
    _past_week()
    long = tasks.count_slowly.enqueue(until=2400, pause=0.25)
    _wait_until(lambda: JobRun.objects.filter(pk=long.pk, progress__gt=0.5).exists(), 120)
    retried = JobRun.objects.filter(attempts__isnull=False).first()
    _deadlines(by)
    runs = {"run": long, "failed": broken, "partial": partial, "retried": retried}
    return _alerts(by) | runs | {"schedule": made, "post": _posts(by)}


def _posts(by: User) -> Post:
    """A calendar with something in it; gives a post that waits for its time."""
    blog, writers = Publisher.objects.get(kind="site"), list(Agent.objects.all())
    for number, title in enumerate(_TITLES):
        text = (
            f"<p>{title}: <a href='https://example.org/{number}'>the harbour office</a> has the details.</p>"
        )
        new = Post(agent=writers[number % len(writers)], created_by=by)
        post = posts.write(new, {"title": title, "body_html": text, "keywords": [title.lower()]}, by=by)
        posts.schedule(post, timezone.now() + timedelta(days=number, hours=2 + number % 5), [blog], by=by)
    return post


def _deadlines(by: User) -> None:
    """Coming slots that will be late, and others that will not."""
    now = timezone.now()
    for name, minutes, seconds, deadline in (
        ("Nightly backup", 50, 5400, 3600),
        ("Stock figures", 95, 600, 1800),
        ("Letters to subscribers", 130, 1500, 1700),
    ):
        slot = now + timedelta(minutes=minutes)
        when = When(cron=f"{slot.minute} {slot.hour} * * *")
        wish = Wish(
            name=name, job="testing.add_numbers", when=when, parameters={"left": 1}, deadline_seconds=deadline
        )
        made = schedules.create(wish, by=by)
        for day in range(1, 13):
            start = slot - timedelta(days=day)
            JobRun.objects.create(
                job="testing.add_numbers",
                queue="default",
                trigger="schedule",
                schedule_id=made.pk,
                scheduled_for=start,
                queued_at=start,
                first_published_at=start,
                attempt=1,
                started_at=start,
                finished_at=start + timedelta(seconds=seconds * (0.9 + 0.02 * day)),
                status="succeeded",
            )


def _alerts(by: User) -> dict[str, Any]:
    """Alerts of every state, beside those that the watch raises about the runs that failed."""
    now = timezone.now()
    _wait_until(lambda: Alert.objects.filter(kind="jobs.run_failed").count() >= 2, 120)
    disk = Subject(type="host", id="db1", text="db1.example.org")
    full = raise_alert("jobs.reported_trouble", subject=disk, title="Disk nearly full", severity="high")
    changes.acknowledge(full.pk, by=by, note="A larger disk is on its way.")
    mail = Subject(type="channel", id="ops", text="Mail to operations")
    quiet = raise_alert("jobs.notification_failing", subject=mail, title="Mail to operations is refused")
    changes.snooze(quiet.pk, until=now + timedelta(hours=3), by=by, note="The provider works on it.")
    broker = Subject(type="part", id="broker", text="Broker")
    began = now - timedelta(minutes=6)
    raise_alert(
        "jobs.broker_down",
        subject=broker,
        fingerprint="broker",
        title="The message broker does not answer",
        message="Connection refused.\nSlots still become runs; they wait until it is back.",
        since=began,
        at=began + timedelta(seconds=20),
    )
    return {
        "alert": Alert.objects.filter(kind="jobs.run_failed").first(),
        "incident": Alert.objects.get(kind="jobs.broker_down"),
    }


def _past_week() -> None:
    """A week of runs that ended, more by day than by night, counted for the plots."""
    chance = random.Random(7)  # noqa: S311 - a picture, the same each time
    now = timezone.now()
    rows = []
    for number in range(1500):
        at = now - timedelta(seconds=chance.uniform(1200, 7 * 86_400))
        if chance.random() > 0.25 + 0.75 * math.sin(math.pi * at.hour / 24) ** 2:
            continue
        seconds = chance.lognormvariate(2 + at.hour / 24, 0.7)
        sent = at + timedelta(seconds=chance.lognormvariate(-2, 1))
        begun = sent + timedelta(seconds=chance.lognormvariate(at.hour / 8 - 1, 1))
        status = chance.choices(["succeeded", "partial", "failed", "cancelled"], [90, 5, 4, 1])[0]
        rows.append(
            JobRun(
                id=uuid.UUID(int=first_run_id(at).int + number),
                job="publishing.monitor_feeds",
                queue="publishing",
                trigger="schedule",
                status=status,
                scheduled_for=at - timedelta(seconds=chance.uniform(0, 1)),
                queued_at=at,
                first_published_at=sent,
                attempt=1,
                started_at=begun,
                finished_at=begun + timedelta(seconds=seconds),
                error_type="jobs.errors.TransientError" if status == "failed" else "",
                error_message="The host does not answer." if status == "failed" else "",
                error_fingerprint="5a1f00d5a1f00d5a" if status == "failed" else "",
                progress=100,
            )
        )
    JobRun.objects.bulk_create(rows)
    RunSummary.objects.all().delete()  # the scheduler has counted these days already
    _wait_until(lambda: not summaries.keep() and RunSummary.objects.filter(is_total=True).count() > 1000, 180)


def _wait_until(is_done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            raise TimeoutError("The sample did not come about in time.")
        time.sleep(0.2)
