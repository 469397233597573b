"""The first page: what runs, what failed, what comes next, who is alive. Each person sees what they may."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from jobs import heartbeats
from jobs.admin.run_filters import first_id_at
from jobs.admin.runs import HEAVY
from jobs.models import JobRun, ProcessHeartbeat, Schedule

Status = JobRun.Status
ROWS = 6


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of the dashboard, with the page that explains it."""

    title: str
    value: int
    note: str
    icon: str
    #: good, bad, warn, busy or calm.
    tone: str
    url: str


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's hook: adds the dashboard's content to the context of the admin's first page."""
    now = timezone.now()
    return {
        **context,
        "title": "Overview",
        "figures": [*_run_figures(request, now), *_process_figures(request, now)],
        "may_see_runs": request.user.has_perm("jobs.view_jobrun"),
        "may_see_schedules": request.user.has_perm("jobs.view_schedule"),
        "may_add_schedule": request.user.has_perm("jobs.add_schedule"),
        "may_run": request.user.has_perm("jobs.run_job"),
        "active_runs": _runs(request, _seen(request).active()),
        "failed_runs": _runs(request, _failed_since(request, now - timedelta(days=1))),
        "next_schedules": _next_schedules(request),
    }


def _run_figures(request: HttpRequest, now: datetime) -> list[Figure]:
    if not request.user.has_perm("jobs.view_jobrun"):
        return []
    url = reverse("admin:jobs_jobrun_changelist")
    active = _seen(request).active().count()
    running = _seen(request).filter(status=Status.RUNNING).count()
    failed = _failed_since(request, now - timedelta(days=1)).count()
    return [
        Figure(
            title="Active runs",
            value=active,
            note=f"{running} running, {active - running} waiting",
            icon="play_circle",
            tone="busy" if active else "calm",
            url=f"{url}?status=active",
        ),
        Figure(
            title="Failures in 24 hours",
            value=failed,
            note="of runs queued since then",
            icon="error" if failed else "check_circle",
            tone="bad" if failed else "good",
            url=f"{url}?status=failed&queued=day",
        ),
    ]


def _process_figures(request: HttpRequest, now: datetime) -> list[Figure]:
    if not (request.user.has_perm("jobs.view_system") or request.user.has_perm("jobs.view_processheartbeat")):
        return []
    url = reverse("admin:jobs_processheartbeat_changelist")
    figures = []
    for kind, title, icon, remedy in (
        (ProcessHeartbeat.Kind.WORKER, "Workers", "memory", "nothing runs until one is started"),
        (ProcessHeartbeat.Kind.BEAT, "Schedulers", "alarm", "no schedule fires until one is started"),
    ):
        alive = heartbeats.alive(kind, now)
        slots = sum(process.info.get("concurrency") or 0 for process in alive)
        note = f"{slots} runs at once" if kind == ProcessHeartbeat.Kind.WORKER else "alive"
        tone = "good" if alive else "bad"
        figures.append(
            Figure(
                title=title,
                value=len(alive),
                note=note if alive else remedy,
                icon=icon,
                tone=tone,
                url=url,
            )
        )
    return figures


def _seen(request: HttpRequest) -> Any:
    return JobRun.objects.visible_to(request.user)


def _failed_since(request: HttpRequest, moment: datetime) -> Any:
    return _seen(request).filter(status=Status.FAILED, pk__gte=first_id_at(moment))


def _runs(request: HttpRequest, rows: Any) -> list[JobRun]:
    if not request.user.has_perm("jobs.view_jobrun"):
        return []
    return list(rows.select_related("schedule").defer(*HEAVY[:-1])[:ROWS])


def _next_schedules(request: HttpRequest) -> list[Schedule]:
    if not request.user.has_perm("jobs.view_schedule"):
        return []
    planned = Schedule.objects.visible_to(request.user).filter(
        enabled=True, policy__next_slot_at__isnull=False
    )
    return list(planned.select_related("policy").order_by("policy__next_slot_at")[:ROWS])
