"""What to say and where to go after a run was queued."""

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.models import JobRun


def queued(run: JobRun) -> SafeString:
    """What to say, with the way to the run."""
    return format_html('Queued: <a class="jobs-link" href="{}">run …{}</a>.', page_of(run), str(run.pk)[-6:])


def after(request: HttpRequest, run: JobRun, otherwise: str) -> str:
    """The page of the run, for who may see it."""
    return page_of(run) if request.user.has_perm("jobs.view_jobrun") else otherwise


def page_of(run: JobRun) -> str:
    return reverse("admin:jobs_jobrun_change", args=[run.pk])
