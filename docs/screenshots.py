"""Takes the pictures of the admin that the documentation shows, and more to look at.

    python docs/screenshots.py [folder] [page ...]

Starts servers, a worker and a scheduler of its own, makes sample data and drives Chromium over each page, light and dark,
on a desktop and on a phone. Without a folder, the pictures that the documentation uses go to docs/images.
"""

import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import CHROMIUM, CHROMIUM_ARGUMENTS  # noqa: E402
from tests.servers import PrivateStack  # noqa: E402

IMAGES = ROOT / "docs" / "images"
#: Name, colour scheme, viewport: what the documentation shows.
IN_DOCS = {
    ("schedule_form", "light", "desktop"),
    ("runs", "light", "desktop"),
    ("run", "light", "desktop"),
    ("run", "dark", "phone"),
    ("dashboard", "dark", "desktop"),
    ("sources", "light", "desktop"),
}
VIEWPORTS = {"desktop": (1440, 900), "phone": (390, 844)}
#: Smaller files for the documentation.
DESKTOP_IN_DOCS = (1280, 800)
QUEUES = "default,publishing,sources"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    only = set(sys.argv[2:])
    with ExitStack() as stack:
        servers = stack.enter_context(PrivateStack())
        port, live_port = _free_port(), _free_port()
        origin = f"http://127.0.0.1:{port}"
        os.environ |= {
            "SAMPLE_WORLD_URL": origin,
            "DATABASE_URL": servers.database_url,
            "BROKER_URL": servers.broker_url,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
            "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
            "PORT": str(port),
            "LIVE_PORT": str(live_port),
        }
        django.setup()
        _prepare()
        beat_file = f"{tempfile.gettempdir()}/almanac-screenshots-beat"
        stack.enter_context(_process("celery", "-A", "config", "worker", "-c", "2", "-Q", QUEUES))
        stack.enter_context(_process("celery", "-A", "config", "beat", "-l", "WARNING", "-s", beat_file))
        stack.enter_context(_process("django", "runserver", "--noreload", f"127.0.0.1:{port}"))
        live = ("config.asgi", "--bind", f"127.0.0.1:{live_port}", "--worker-class", "asgi")
        stack.enter_context(_process("gunicorn", *live, "--graceful-timeout", "1"))
        _wait_for(f"{origin}/admin/login/")
        _wait_for(f"http://127.0.0.1:{live_port}/healthz")
        paths = _paths(_sample())
        session = _session()
        for name, scheme, viewport in _wanted(paths, folder, only):
            target = (folder or IMAGES) / f"{name}-{scheme}-{viewport}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            is_small = folder is None and viewport == "desktop"
            size = DESKTOP_IN_DOCS if is_small else VIEWPORTS[viewport]
            _take(origin, session, paths[name], scheme, size, target)
            sys.stdout.write(f"{target} {target.stat().st_size // 1000} kB\n")


def _wanted(paths: dict[str, str], folder: Path | None, only: set[str]) -> Iterator[tuple[str, str, str]]:
    for name in paths:
        for scheme in ("light", "dark"):
            for viewport in VIEWPORTS:
                in_docs = (name, scheme, viewport) in IN_DOCS
                if in_docs if folder is None else not only or name in only:
                    yield name, scheme, viewport


def _prepare() -> None:
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    User.objects.create_superuser("operator", "operator@example.org")


def _sample() -> dict[str, Any]:
    """Schedules of every state, runs of every outcome, and one long run under way."""
    from django.conf import settings
    from django.contrib.auth.models import User

    from jobs import schedules, sync
    from jobs.models import JobRun
    from jobs.schedules import Wish
    from jobs.when import When
    from publishing.sample.load import load_sample_world
    from tests.jobs_for_tests import tasks

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
    return _alerts(by) | runs | {"schedule": made}


def _deadlines(by: Any) -> None:
    """Coming slots that will be late, and others that will not."""
    from django.utils import timezone

    from jobs import schedules
    from jobs.models import JobRun
    from jobs.schedules import Wish
    from jobs.when import When

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


def _alerts(by: Any) -> dict[str, Any]:
    """Alerts of every state, beside those that the watch raises about the runs that failed."""
    from datetime import timedelta

    from django.utils import timezone

    from jobs.alerts import Subject, changes, raise_alert
    from jobs.models import Alert

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
    from django.utils import timezone

    from jobs import summaries
    from jobs.models import JobRun, RunSummary, first_run_id

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


def _paths(sample: dict[str, Any]) -> dict[str, str]:
    return {
        "dashboard": "/admin/",
        "dashboard_week": "/admin/?window=week",
        "schedules": "/admin/jobs/schedule/",
        "schedule_form": f"/admin/jobs/schedule/{sample['schedule'].pk}/change/",
        "schedule_add": "/admin/jobs/schedule/add/?job=testing.add_numbers",
        "schedule_pause": f"/admin/jobs/schedule/{sample['schedule'].pk}/pause/",
        "runs": "/admin/jobs/jobrun/",
        "run": f"/admin/jobs/jobrun/{sample['run'].pk}/change/",
        "run_failed": f"/admin/jobs/jobrun/{sample['failed'].pk}/change/",
        "run_partial": f"/admin/jobs/jobrun/{sample['partial'].pk}/change/",
        "run_retried": f"/admin/jobs/jobrun/{sample['retried'].pk}/change/",
        "failures": "/admin/jobs/jobrun/failures/",
        "failure": f"/admin/jobs/jobrun/failures/{sample['failed'].error_fingerprint}/",
        "failure_retry": f"/admin/jobs/jobrun/failures/{sample['failed'].error_fingerprint}/retry/",
        "failure_mute": f"/admin/jobs/jobrun/failures/{sample['failed'].error_fingerprint}/mute/",
        "delays": "/admin/jobs/jobrun/delays/?window=7d&show=all",
        "outlook": "/admin/jobs/jobrun/outlook/",
        "run_job": "/admin/jobs/jobrun/run/",
        "run_job_form": "/admin/jobs/jobrun/run/?job=testing.add_numbers",
        "alerts": "/admin/jobs/alert/?state=all",
        "alert": f"/admin/jobs/alert/{sample['alert'].pk}/change/",
        "alert_incident": f"/admin/jobs/alert/{sample['incident'].pk}/change/",
        "alert_snooze": f"/admin/jobs/alert/{sample['alert'].pk}/snooze/",
        "processes": "/admin/jobs/processheartbeat/",
        "workers": "/admin/jobs/processheartbeat/workers/",
        "worker": f"/admin/jobs/processheartbeat/workers/{_worker()}/",
        "worker_shutdown": f"/admin/jobs/processheartbeat/workers/{_worker()}/shutdown/",
        "tasks": "/admin/jobs/processheartbeat/tasks/",
        "tasks_registered": "/admin/jobs/processheartbeat/tasks/?show=registered",
        "queues": "/admin/jobs/processheartbeat/queues/",
        "schedule_versions": f"/admin/jobs/schedule/{sample['schedule'].pk}/versions/",
        "schedule_resume": f"/admin/jobs/schedule/{sample['schedule'].pk}/resume/",
        "timeline": "/admin/jobs/schedule/timeline/",
        "timeline_week": "/admin/jobs/schedule/timeline/?view=week",
        "timeline_one": f"/admin/jobs/schedule/{sample['schedule'].pk}/timeline/",
        "drift": "/admin/jobs/schedule/drift/",
        "import": "/admin/jobs/schedule/import/",
        "windows": "/admin/jobs/maintenancewindow/",
        "window_add": "/admin/jobs/maintenancewindow/add/",
        "calendar_add": "/admin/jobs/calendar/add/",
        "limit_add": "/admin/jobs/joblimit/add/",
        "channels": "/admin/jobs/notificationchannel/",
        "rules": "/admin/jobs/notificationrule/",
        "rule_add": "/admin/jobs/notificationrule/add/",
        "explain": "/admin/jobs/notificationrule/explain/",
        "deliveries": "/admin/jobs/delivery/",
        "inbox": "/admin/jobs/inboxmessage/",
        "audit": "/admin/jobs/auditevent/",
        "keys": "/admin/accounts/apikey/",
        "key_add": "/admin/accounts/apikey/add/",
        "groups": "/admin/auth/group/",
        "group_add": "/admin/auth/group/add/",
        "users": "/admin/auth/user/",
        "sources": "/admin/publishing/source/",
    }


def _session() -> str:
    """The cookie of a signed-in operator."""
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.get(username="operator"))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def _worker() -> str:
    from jobs.models import ProcessHeartbeat

    return str(ProcessHeartbeat.objects.get(kind="worker").name)


def _take(origin: str, session: str, path: str, scheme: Any, size: tuple[int, int], target: Path) -> None:
    from django.conf import settings

    width, height = size
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
        )
        page.on("console", lambda message: _complain(page, message.type, message.text))
        page.on("pageerror", lambda error: _complain(page, "error", str(error)))
        page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": origin}])
        page.goto(origin + path)
        page.wait_for_load_state("networkidle") if "/change/" not in path else page.wait_for_timeout(2500)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if overflow > 0:
            sys.stdout.write(f"{path} at {width}: {overflow} pixels too wide\n")
        is_long = os.environ.get("FULL_PAGE") == "1"
        page.screenshot(path=target, full_page=is_long)
        browser.close()


def _complain(page: Page, kind: str, text: str) -> None:
    if kind == "error":
        sys.stdout.write(f"{page.url}: {text}\n")


@contextmanager
def _process(*module: str) -> Iterator[None]:
    process = subprocess.Popen(  # noqa: S603 - our own modules
        [sys.executable, "-m", *module], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(url: str) -> None:
    def answers() -> bool:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own server
        except (urllib.error.URLError, OSError):
            return False
        return True

    _wait_until(answers, 90)


def _wait_until(is_done: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        if time.monotonic() > until:
            raise TimeoutError("The sample did not come about in time.")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
