"""The panels of the control plane itself: what runs, what comes next, what is wrong, how it went, who is alive."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from jobs import heartbeats, history, summaries
from jobs.admin import panels, plots
from jobs.admin.runs import HEAVY
from jobs.models import Alert, JobRun, ProcessHeartbeat, Schedule, first_run_id, visibility_of

Status = JobRun.Status
Kind = ProcessHeartbeat.Kind
ROWS = 6
#: Runs are counted up to this number; more are "10,000+".
MOST_COUNTED = 10_000
#: Open alerts are counted up to this number.
MOST_ALERTS = 100
#: A scheduler that sends slots later than this (seconds) is in trouble.
LAG_SECONDS = 10.0
DAY = timedelta(days=1)
WINDOWS = {"day": (timedelta(hours=1), 24), "week": (timedelta(hours=6), 28)}
SYSTEM = ("jobs.view_system", "jobs.view_processheartbeat")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the first page, with the page that explains it."""

    title: str
    value: str
    note: str
    icon: str
    #: good, bad, warn, busy or calm.
    tone: str
    url: str


# Figures


def figures(request: HttpRequest, now: datetime) -> dict[str, Any]:
    may = request.user.has_perm
    found = _run_figures(request, now) if may("jobs.view_jobrun") else []
    if may("jobs.view_alert"):
        found.append(_alert_figure(request))
    if any(may(permission) for permission in SYSTEM):
        found += _process_figures(now)
    return {"figures": found}


_ACTIVE = """
SELECT status, count(*) FROM (
    SELECT status FROM jobs_jobrun
    WHERE status IN ('waiting', 'queued', 'running', 'retrying')
        AND (%(groups)s::int[] IS NULL OR owner_group_id IS NULL OR owner_group_id = ANY (%(groups)s::int[]))
    LIMIT %(most)s
) AS active GROUP BY status
"""


def _run_figures(request: HttpRequest, now: datetime) -> list[Figure]:
    seen = visibility_of(request.user)
    url = reverse("admin:jobs_jobrun_changelist")
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, {"groups": seen.group_ids, "most": MOST_COUNTED + 1})
        counts: dict[str, int] = dict(cursor.fetchall())
    active, running = sum(counts.values()), counts.get(Status.RUNNING, 0)
    day = summaries.window(now, length=DAY, seen=seen)
    failed, rate = day.counts["failed"], day.success_rate
    return [
        Figure(
            title="Active runs",
            value=f"{MOST_COUNTED:,}+" if active > MOST_COUNTED else f"{active:,}",
            note=f"{running:,} running, {active - running:,} waiting",
            icon="play_circle",
            tone="busy" if active else "calm",
            url=f"{url}?status=active",
        ),
        Figure(
            title="Succeeded in 24 hours",
            value="-" if rate is None else plots.percent(rate),
            note=f"{failed:,} failed of {day.executed:,}" if day.executed else "nothing has run",
            icon="error" if failed else "check_circle",
            tone="bad" if failed else "good" if day.executed else "calm",
            url=f"{url}?status=failed&queued=day" if failed else url,
        ),
    ]


def _alert_figure(request: HttpRequest) -> Figure:
    severities = _alerts(request).filter(state=Alert.State.OPEN).values_list("severity", flat=True)
    open_alerts = list(severities.order_by("-priority")[: MOST_ALERTS + 1])
    worst = min(open_alerts, key=lambda severity: Alert.Severity(severity).rank, default=None)
    is_bad = worst in (Alert.Severity.CRITICAL, Alert.Severity.HIGH)
    return Figure(
        title="Open alerts",
        value=f"{MOST_ALERTS}+" if len(open_alerts) > MOST_ALERTS else f"{len(open_alerts)}",
        note=f"the worst is {Alert.Severity(worst).label.lower()}" if worst else "nothing is wrong",
        icon="notifications_active" if worst else "notifications",
        tone="bad" if is_bad else "warn" if worst else "good",
        url=reverse("admin:jobs_alert_changelist"),
    )


def _process_figures(now: datetime) -> list[Figure]:
    url = reverse("admin:jobs_processheartbeat_changelist")
    alive = _alive(now)
    workers, beats = alive[Kind.WORKER], alive[Kind.BEAT]
    slots = sum(process.info.get("concurrency") or 0 for process in workers)
    lag = _lag(beats)
    is_late = lag is not None and lag > LAG_SECONDS
    return [
        Figure(
            title="Workers",
            value=f"{len(workers)}",
            note=f"{slots} runs at once" if workers else "nothing runs until one is started",
            icon="memory",
            tone="good" if workers else "bad",
            url=url,
        ),
        Figure(
            title="Scheduler lag",
            value="-" if lag is None else f"{lag:.1f} s",
            note=f"{len(beats)} alive" if beats else "no schedule fires until one is started",
            icon="alarm",
            tone="bad" if not beats else "warn" if is_late else "good",
            url=url,
        ),
    ]


def _alive(now: datetime) -> dict[str, list[ProcessHeartbeat]]:
    """The living processes by kind, in one query."""
    since = now - timedelta(seconds=heartbeats.DEAD_AFTER)
    found: dict[str, list[ProcessHeartbeat]] = {kind: [] for kind in Kind.values}
    for process in ProcessHeartbeat.objects.filter(seen_at__gte=since).order_by("name"):
        found[process.kind].append(process)
    return found


def _lag(beats: list[ProcessHeartbeat]) -> float | None:
    return min((float(beat.info.get("lag_seconds", 0)) for beat in beats), default=None)


# Runs


def running(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """What runs, oldest first, then what waits; with how long it will still take."""
    rows = JobRun.objects.visible_to(request.user).select_related("schedule").defer(*HEAVY)
    runs = list(rows.filter(status=Status.RUNNING).order_by("id")[: ROWS + 2])
    waiting = list(
        rows.filter(status__in=(Status.WAITING, Status.QUEUED, Status.RETRYING)).order_by("id")[:ROWS]
    )
    typical = history.durations_by_job({run.job for run in runs})
    shown = [(run, history.eta(run, now, typical.get(run.job))) for run in (*runs, *waiting)]
    return {"runs": shown[: ROWS + 2], "may_run": request.user.has_perm("jobs.run_job")}


def failures(request: HttpRequest, now: datetime) -> dict[str, Any]:
    rows = JobRun.objects.visible_to(request.user).filter(
        status=Status.FAILED, pk__gte=first_run_id(now - DAY)
    )
    heavy = (name for name in HEAVY if name != "error_message")
    return {"runs": list(rows.defer(*heavy).order_by("-id")[:ROWS])}


def outcomes(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """The plots of a day or a week, whichever the address asks for."""
    chosen = request.GET.get("window", "day")
    if chosen not in WINDOWS:
        chosen = "day"
    step, number = WINDOWS[chosen]
    periods = summaries.periods(now, step=step, number=number, seen=visibility_of(request.user))
    return {
        "window": chosen,
        "outcomes": plots.outcomes(periods),
        "durations": plots.durations(periods),
        "legend": plots.OUTCOMES,
        "table": plots.table(periods)[::-1],
    }


# Schedules, alerts, queues


def next_slots(request: HttpRequest, now: datetime) -> dict[str, Any]:
    planned = Schedule.objects.visible_to(request.user).filter(
        enabled=True, policy__next_slot_at__isnull=False
    )
    return {
        "schedules": list(planned.select_related("policy").order_by("policy__next_slot_at")[:ROWS]),
        "may_add": request.user.has_perm("jobs.add_schedule"),
    }


def alerts(request: HttpRequest, now: datetime) -> dict[str, Any]:
    live = _alerts(request).order_by("-priority", "-last_seen_at")[:ROWS]
    return {"alerts": [(alert, _TONES[alert.severity]) for alert in live]}


_TONES = {"critical": "bad", "high": "bad", "medium": "warn", "low": "calm"}


def _alerts(request: HttpRequest) -> Any:
    shown = Alert.objects.visible_to(request.user)
    return shown.filter(state__in=(Alert.State.OPEN, Alert.State.ACKNOWLEDGED), incident=None)


_QUEUES = """
SELECT queue, status, count(*) FROM (
    SELECT queue, status FROM jobs_jobrun WHERE status IN ('waiting', 'queued', 'running', 'retrying') LIMIT %s
) AS active GROUP BY queue, status
"""


@dataclass(frozen=True)
class QueueLine:
    """One queue: how many of its runs wait and run, and how many workers take from it."""

    name: str
    waiting: int
    running: int
    consumers: int


def queues(request: HttpRequest, now: datetime) -> dict[str, Any]:
    """Queues with work or without a worker; those that are idle and served are only counted."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUES, [MOST_COUNTED + 1])
        counts = {(queue, status): number for queue, status, number in cursor.fetchall()}
    workers = _alive(now)[Kind.WORKER]
    lines = [
        QueueLine(
            name=name,
            waiting=sum(counts.get((name, status), 0) for status in ("waiting", "queued", "retrying")),
            running=counts.get((name, "running"), 0),
            consumers=sum(name in worker.info.get("queues", []) for worker in workers),
        )
        for name in settings.JOBS_QUEUES
    ]
    busy = [line for line in lines if line.waiting or line.running or not line.consumers]
    return {"queues": busy, "idle": len(lines) - len(busy), "is_cut": sum(counts.values()) > MOST_COUNTED}


panels.add(
    panels.Panel(
        name="figures",
        title="Now",
        template="admin/jobs/overview/figures.html",
        permissions=("jobs.view_jobrun", "jobs.view_alert", *SYSTEM),
        fill=figures,
        order=10,
        place="wide",
        follows=("run", "alert", "worker"),
        every=15,
    ),
    panels.Panel(
        name="running",
        title="Running and waiting",
        template="admin/jobs/overview/running.html",
        permissions=("jobs.view_jobrun",),
        fill=running,
        order=20,
        follows=("run",),
        link=("All active runs", "admin:jobs_jobrun_changelist", "?status=active"),
    ),
    panels.Panel(
        name="alerts",
        title="Alerts",
        template="admin/jobs/overview/alerts.html",
        permissions=("jobs.view_alert",),
        fill=alerts,
        order=25,
        place="side",
        follows=("alert",),
        link=("All alerts", "admin:jobs_alert_changelist", ""),
    ),
    panels.Panel(
        name="outcomes",
        title="How it went",
        template="admin/jobs/overview/outcomes.html",
        permissions=("jobs.view_jobrun",),
        fill=outcomes,
        order=40,
    ),
    panels.Panel(
        name="failures",
        title="Latest failures",
        template="admin/jobs/overview/failures.html",
        permissions=("jobs.view_jobrun",),
        fill=failures,
        order=50,
        follows=("run",),
        link=("All failures", "admin:jobs_jobrun_changelist", "?status=failed"),
    ),
    panels.Panel(
        name="next-slots",
        title="Next slots",
        template="admin/jobs/overview/next_slots.html",
        permissions=("jobs.view_schedule",),
        fill=next_slots,
        order=30,
        place="side",
        follows=("schedule",),
        link=("All schedules", "admin:jobs_schedule_changelist", ""),
    ),
    panels.Panel(
        name="queues",
        title="Queues",
        template="admin/jobs/overview/queues.html",
        permissions=("jobs.view_system",),
        fill=queues,
        order=60,
        place="side",
        follows=("worker",),
        every=15,
    ),
)
