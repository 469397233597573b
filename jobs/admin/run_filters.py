"""Filters, search and pages of the list of runs, cheap on a table of millions."""

import uuid
from datetime import timedelta
from typing import Any

from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from jobs.admin.base import DropdownFilter, ModelAdmin
from jobs.definitions import all_jobs
from jobs.models import JobRun, first_run_id

Rows = QuerySet[JobRun]
Status = JobRun.Status

#: Lists count and page this far; what is older is found by filter or search.
FURTHEST = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic for the type checker only
    """Counts at most FURTHEST rows: counting all of them would take longer than showing a page."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:FURTHEST].count())


class StatusFilter(DropdownFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [("active", "Active: waiting, queued, running, waiting to retry"), *Status.choices]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        if self.value() == "active":
            return queryset.filter(status__in=Status.active())
        return queryset.filter(status=self.value()) if self.value() in Status.values else queryset


class JobFilter(DropdownFilter):
    title = "job"
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(job.name, f"{job.title} ({job.name})") for job in all_jobs()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(job=self.value()) if self.value() else queryset


class TriggerFilter(DropdownFilter):
    title = "trigger"
    parameter_name = "trigger"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(JobRun.Trigger.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(trigger=self.value()) if self.value() in JobRun.Trigger.values else queryset


class QueuedFilter(DropdownFilter):
    """By age, through the primary key: ids made later sort later."""

    title = "queued"
    parameter_name = "queued"
    spans = {
        "hour": ("In the last hour", timedelta(hours=1)),
        "day": ("In the last 24 hours", timedelta(days=1)),
        "week": ("In the last 7 days", timedelta(days=7)),
        "month": ("In the last 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.spans.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        span = self.spans.get(self.value() or "")
        return queryset.filter(pk__gte=first_run_id(timezone.now() - span[1])) if span else queryset


def found_by(term: str) -> Q:
    """What a search for an id, a job's name or title, or words of an error finds, each by an index."""
    term = term.strip()
    try:
        return Q(pk=uuid.UUID(term))
    except ValueError:
        pass
    wanted = term.lower()
    names = [job.name for job in all_jobs() if wanted in job.name or wanted in job.title.lower()]
    failed = Q(status__in=[Status.FAILED, Status.RETRYING, Status.PARTIAL])
    return Q(job__in=[*names, term]) | failed & (
        Q(error_message__icontains=term) | Q(error_type__icontains=term)
    )
