"""The page of one run. Its parts are rendered here both for the page and for the live updates, by the same templates."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone

from jobs import delays, history, prediction
from jobs.admin import bars
from jobs.admin.live import Stream
from jobs.admin.subjects import subjects_of
from jobs.definitions import find_job
from jobs.models import JobRun, RunLog

if TYPE_CHECKING:
    from jobs.admin.runs import JobRunAdmin

Status = JobRun.Status

#: Lines of the log on the page; the rest is in the plain text.
LINES = 500
#: The templates that follow the run while it is active.
PARTS = ("head", "progress", "delays", "facts", "outcome")


@dataclass(frozen=True)
class Milestone:
    """One moment in the life of a run, and how long the run waited for it since the one before."""

    title: str
    at: datetime
    #: None for the first.
    after: timedelta | None = None
    note: str = ""


class RunPage:
    """Everything about one run."""

    def __init__(self, admin: "JobRunAdmin", request: HttpRequest, run: JobRun) -> None:
        self.admin = admin
        self.request = request
        self.run = run
        self.now = timezone.now()

    def response(self, live: Stream | None) -> HttpResponse:
        """The page; `live` is the stream that it follows, from a moment before the run was read."""
        lines, is_cut = self._last_lines()
        context = {
            **self.admin.admin_site.each_context(self.request),
            **self._context(),
            "opts": self.admin.opts,
            "title": f"{self._title()} …{str(self.run.pk)[-12:]}",
            "lines": lines,
            "last_line": lines[-1].pk if lines else 0,
            "is_cut": is_cut,
            "live": live,
            "utc_offset": _utc_offset(self.now),
        }
        return TemplateResponse(self.request, "admin/jobs/jobrun/change_form.html", context)

    def live(self) -> JsonResponse:
        """The parts as they look now, and the log lines after the one the page has last."""
        after = self.request.GET.get("after", "0")
        lines = self.run.logs.filter(pk__gt=int(after) if after.isdecimal() else 0)[:LINES]
        context = self._context()
        parts = {
            part: render_to_string(f"admin/jobs/jobrun/_{part}.html", context, self.request) for part in PARTS
        }
        return JsonResponse(
            {
                "is_active": self.run.is_active,
                "parts": parts,
                "lines": [
                    {
                        "id": line.pk,
                        "at": f"{timezone.localtime(line.at):%H:%M:%S}",
                        "level": line.get_level_display(),
                        "message": line.message,
                    }
                    for line in lines
                ],
            }
        )

    def log(self) -> StreamingHttpResponse:
        lines = self.run.logs.iterator(chunk_size=1000)
        text = (f"{line.at:%Y-%m-%dT%H:%M:%SZ} {line.get_level_display()} {line.message}\n" for line in lines)
        return StreamingHttpResponse(text, content_type="text/plain; charset=utf-8")

    def _title(self) -> str:
        job = find_job(self.run.job)
        return job.title if job else self.run.job

    def _last_lines(self) -> tuple[list[RunLog], bool]:
        newest = list(self.run.logs.order_by("-id")[: LINES + 1])
        return newest[:LINES][::-1], len(newest) > LINES

    def _context(self) -> dict[str, Any]:
        run, user = self.run, self.request.user
        typical = history.typical(run) if run.status == Status.RUNNING else None
        is_job = find_job(run.job) is not None
        seen = JobRun.objects.visible_to(user)
        spent = delays.of_run(run, self.now)
        return {
            "run": run,
            "job": find_job(run.job),
            "now": self.now,
            "eta": history.eta(run, self.now, typical),
            "elapsed": run.elapsed(self.now),
            "milestones": milestones(run),
            "delays": spent,
            "foretold": prediction.of_run(run, self.now) if prediction.is_held(run) else None,
            "delay_bar": bars.stack((part.kind, part.seconds) for part in spent.parts),
            "subjects": subjects_of(run, self.request),
            "retries": seen.filter(retry_of=run).only("id", "status", "queued_at").order_by("id"),
            "children": seen.filter(parent=run).only("id", "status", "job").order_by("id")[:50],
            "may_cancel": run.is_active and user.has_perm("jobs.cancel_run"),
            "may_retry": is_job and not run.is_active and user.has_perm("jobs.run_job"),
        }


def _utc_offset(at: datetime) -> int:
    """Seconds by which the site's clock is ahead of UTC."""
    offset = timezone.localtime(at).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def milestones(run: JobRun) -> list[Milestone]:
    """Queued, sent, started, ended: what happened to the run so far, in order."""
    steps: list[tuple[str, datetime | None, str]] = [
        ("Slot", run.scheduled_for, ""),
        ("Queued", run.queued_at, ""),
        (
            "Sent to the queue",
            run.published_at,
            f"{run.publish_count} times" if run.publish_count > 1 else "",
        ),
        ("Started", run.started_at, f"attempt {run.attempt}" if run.attempt > 1 else ""),
        ("Cancel requested", run.cancel_requested_at, ""),
        ("Cancel acknowledged", run.cancel_acknowledged_at, ""),
        (str(run.get_status_display()), run.finished_at, ""),
        ("Next attempt", run.next_attempt_at, ""),
    ]
    happened = sorted(((at, title, note) for title, at, note in steps if at), key=lambda step: step[0])
    found: list[Milestone] = []
    for at, title, note in happened:
        found.append(Milestone(title, at, at - found[-1].at if found else None, note))
    return found
