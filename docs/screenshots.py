"""Takes the pictures of the admin that the documentation shows, and more to look at.

    python docs/screenshots.py [folder] [page ...]

Starts servers, a worker and a scheduler of its own, makes sample data and drives Chromium over each page, light and dark,
on a desktop and on a phone. Without a folder, the pictures that the documentation uses go to docs/images.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import django
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.browser import CHROMIUM, CHROMIUM_ARGUMENTS  # noqa: E402
from tests.live import free_port  # noqa: E402
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
    ("calendar", "light", "desktop"),
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
        port, live_port = free_port(), free_port()
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
        from screenshots_sample import make  # models can be imported only now that Django is set up

        paths = _paths(make())
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
        "calendar": "/admin/publishing/post/calendar/",
        "posts": "/admin/publishing/post/",
        "post": f"/admin/publishing/post/{sample['post'].pk}/change/",
        "post_add": "/admin/publishing/post/add/",
        "post_schedule": f"/admin/publishing/post/{sample['post'].pk}/schedule/",
        "agents": "/admin/publishing/agent/",
        "agent_add": "/admin/publishing/agent/add/",
        "publishers": "/admin/publishing/publisher/",
        "publisher_add": "/admin/publishing/publisher/add/?kind=webhook",
        "usage": "/admin/publishing/usage/",
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


def _wait_for(url: str) -> None:
    until = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own server
            return
        except OSError as error:
            if time.monotonic() > until:
                raise TimeoutError(f"{url} does not answer.") from error
            time.sleep(0.2)


if __name__ == "__main__":
    main()
