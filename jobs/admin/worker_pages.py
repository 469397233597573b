"""Workers, what they hold, and queues: looked at live, over the broker, which may be down."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from jobs import queues, workers
from jobs.admin import navigation
from jobs.admin.base import require, user_of
from jobs.admin.worker_controls import CONTROLS
from jobs.errors import JobsError
from jobs.models import ProcessHeartbeat
from jobs.remote.control import MOST_PROCESSES
from jobs.remote.inspection import Held, Inspection, Report, inspect
from jobs.remote.visible import HIDDEN, seen_by
from jobs.workers import Worker

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[ProcessHeartbeat]
else:
    Base = object

SEE, CONTROL, PURGE = "jobs.view_system", "jobs.control_worker", "jobs.purge_queue"

navigation.add(
    navigation.Entry(
        group="System",
        title="Workers",
        icon="memory",
        url_name="admin:jobs_workers",
        permissions=(SEE,),
        order=790,
    ),
    navigation.Entry(
        group="System",
        title="Tasks in workers",
        icon="front_hand",
        url_name="admin:jobs_worker_tasks",
        permissions=(SEE,),
        order=792,
    ),
    navigation.Entry(
        group="System",
        title="Queues",
        icon="stacks",
        url_name="admin:jobs_queues",
        permissions=(SEE,),
        order=794,
    ),
)

#: The kinds of tasks that the page of tasks can show.
KINDS = {
    "active": "Active",
    "reserved": "Reserved",
    "scheduled": "Scheduled",
    "revoked": "Revoked",
    "registered": "Registered",
}


@dataclass(frozen=True)
class Line:
    """One worker of the list: what its heartbeat says, and what it said itself, if it did."""

    worker: Worker
    report: Report | None

    @property
    def is_silent(self) -> bool:
        """It lives, and gave no answer."""
        return self.worker.is_alive and self.report is None


class WorkerPages(Base):
    """Pages of `ProcessAdmin`."""

    def worker_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("workers/", view(self.workers_page), name="jobs_workers"),
            path("workers/<str:name>/", view(self.worker_page), name="jobs_worker"),
            path("workers/<str:name>/<slug:what>/", view(self.control), name="jobs_worker_control"),
            path("tasks/", view(self.tasks_page), name="jobs_worker_tasks"),
            path("queues/", view(self.queues_page), name="jobs_queues"),
            path("queues/<str:name>/purge/", view(self.purge_page), name="jobs_queue_purge"),
        ]

    # Workers

    def workers_page(self, request: HttpRequest) -> HttpResponse:
        """Every worker of the last day."""
        require(request, SEE)
        found = _inspect(request)
        lines = [Line(worker, found.reports.get(worker.name)) for worker in workers.overview(timezone.now())]
        context = {"title": "Workers", "lines": lines, "found": found}
        return self._page(request, "workers/workers.html", context)

    def worker_page(self, request: HttpRequest, name: str) -> HttpResponse:
        """One worker, with its controls."""
        require(request, SEE)
        worker = _known(name)
        found = _inspect(request, [name]) if worker.is_alive else Inspection()
        report = found.reports.get(name)
        context = {
            "title": name,
            "line": Line(worker, report),
            "report": report,
            "found": found,
            "may_control": request.user.has_perm(CONTROL) and report is not None,
            "other_queues": [
                queue for queue in settings.JOBS_QUEUES if report and queue not in report.queues
            ],
            "most_processes": MOST_PROCESSES,
            "processed": sorted(report.processed.items(), key=lambda item: -item[1]) if report else [],
        }
        return self._page(request, "workers/worker.html", context)

    def control(self, request: HttpRequest, name: str, what: str) -> HttpResponse:
        """Do something to a worker; dangerous things are asked for first."""
        require(request, SEE, CONTROL)
        chosen = CONTROLS.get(what)
        if chosen is None:
            raise Http404("There is no such control.")
        _known(name)
        back = reverse("admin:jobs_worker", args=[name])
        if request.method != "POST":
            if not chosen.question:
                return HttpResponseNotAllowed(["POST"])
            context: dict[str, Any] = {
                "title": chosen.title,
                "question": chosen.question,
                "items": [name],
                "back": back,
            }
            context |= {"button": chosen.title, "is_dangerous": True}
            return self._page(request, "confirm.html", context)
        try:
            messages.success(request, f"{name}: {chosen.change(name, request.POST, user_of(request))}")
        except JobsError as error:
            messages.error(request, f"{name}: {error}")
        return HttpResponseRedirect(back)

    # Tasks

    def tasks_page(self, request: HttpRequest) -> HttpResponse:
        """What all workers hold, of one kind."""
        require(request, SEE)
        kind = request.GET.get("show", "active")
        if kind not in KINDS:
            raise Http404("There is no such list.")
        found = _inspect(request)
        held = list(_held(found, kind))
        context = {
            "title": f"{KINDS[kind]} tasks",
            "kind": kind,
            "kinds": KINDS,
            "found": found,
            "held": held,
            "revoked": [(name, one) for name, report in found.reports.items() for one in report.revoked],
            "registered": _registered(found),
            "hidden": HIDDEN,
        }
        return self._page(request, "workers/tasks.html", context)

    # Queues

    def queues_page(self, request: HttpRequest) -> HttpResponse:
        """What waits where, and who works on it."""
        require(request, SEE)
        rows = queues.overview()
        context = {
            "title": "Queues",
            "queues": rows,
            "is_broker_down": any(queue.depth is None for queue in rows),
            "may_purge": request.user.has_perm(PURGE),
            "now": timezone.now(),
        }
        return self._page(request, "workers/queues.html", context)

    def purge_page(self, request: HttpRequest, name: str) -> HttpResponse:
        """Asks, then cancels what waits in a queue."""
        require(request, SEE, PURGE)
        if name not in settings.JOBS_QUEUES:
            raise Http404("There is no such queue.")
        back = reverse("admin:jobs_queues")
        if request.method == "POST":
            purged = queues.purge(name, by=user_of(request))
            removed = (
                "the broker does not answer"
                if purged.messages is None
                else f"{purged.messages} messages removed"
            )
            messages.success(request, f"{name}: {purged.cancelled} runs cancelled, {removed}.")
            return HttpResponseRedirect(back)
        queue = next(one for one in queues.overview() if one.name == name)
        context = {
            "title": "Purge a queue",
            "question": "Cancel every run that waits in this queue or to be retried on it? Running ones go on.",
            "items": [f"{name}: {queue.waiting} waiting, {queue.retrying} to be retried"],
            "button": f"Purge {name}",
            "is_dangerous": True,
            "back": back,
        }
        return self._page(request, "confirm.html", context)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
        common = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, f"admin/jobs/{template}", {**common, **context})


def _known(name: str) -> Worker:
    """The worker of that name, dead or alive; 404 when it was never heard of."""
    for worker in workers.overview(timezone.now()):
        if worker.name == name:
            return worker
    raise Http404("There is no such worker.")


def _inspect(request: HttpRequest, names: list[str] | None = None) -> Inspection:
    """What workers tell, as far as the person who asks may see it."""
    found = inspect(names)
    user = user_of(request)
    seen = {name: seen_by(user, report) for name, report in found.reports.items()}
    return Inspection(seen, found.silent, found.is_broker_down)


def _held(found: Inspection, kind: str) -> Iterator[Held]:
    for report in found.reports.values():
        if kind in ("active", "reserved", "scheduled"):
            yield from getattr(report, kind)


def _registered(found: Inspection) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Each task with its limits, by worker."""
    names = sorted({task for report in found.reports.values() for task in report.tasks})
    return [
        (
            task,
            [(name, report.tasks[task]) for name, report in found.reports.items() if task in report.tasks],
        )
        for task in names
    ]
