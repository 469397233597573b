"""Filters of the list of schedules."""

from collections.abc import Callable
from typing import Any

from celery import current_app
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from jobs.admin.base import DropdownFilter, ModelAdmin
from jobs.definitions import all_jobs, find_job
from jobs.models import Schedule, SchedulePolicy

Rows = QuerySet[Schedule]


class _Filter(DropdownFilter):
    """A drop-down whose choices are names of conditions."""

    conditions: dict[str, tuple[str, Callable[[], Q]]] = {}

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.conditions.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        chosen = self.conditions.get(self.value() or "")
        return queryset.filter(chosen[1]()) if chosen else queryset


def _paused() -> Q:
    now = timezone.now()
    return Q(policy__paused_at__lte=now) & (Q(policy__paused_until=None) | Q(policy__paused_until__gt=now))


def _orphaned() -> Q:
    return ~Q(task__in=[job.name for job in all_jobs()]) & ~Q(task__in=list(current_app.tasks))


class StateFilter(_Filter):
    title = "state"
    parameter_name = "state"
    conditions = {
        "enabled": ("Enabled", lambda: Q(enabled=True) & ~_paused()),
        "paused": ("Paused", lambda: Q(enabled=True) & _paused()),
        "disabled": ("Disabled", lambda: Q(enabled=False)),
        "problem": ("With a problem", lambda: ~Q(policy__planning_error="") | _orphaned()),
    }


class KindFilter(_Filter):
    title = "kind"
    parameter_name = "kind"
    conditions = {
        "cron": ("Cron", lambda: Q(crontab__isnull=False)),
        "interval": ("Interval", lambda: Q(interval__isnull=False)),
        "clock": ("Once", lambda: Q(clocked__isnull=False)),
        "solar": ("By the sun", lambda: Q(solar__isnull=False)),
    }


class OriginFilter(_Filter):
    title = "origin"
    parameter_name = "origin"
    conditions = {
        "code": ("Declared by a job", lambda: Q(policy__origin=SchedulePolicy.Origin.CODE)),
        "admin": ("Made by a person", lambda: Q(policy__origin=SchedulePolicy.Origin.ADMIN)),
    }


class JobFilter(DropdownFilter):
    title = "job"
    parameter_name = "job"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        seen = Schedule.objects.visible_to(request.user)
        names = seen.values_list("task", flat=True).distinct().order_by("task")
        return [(name, _title(name)) for name in names]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(task=self.value()) if self.value() else queryset


def _title(name: str) -> str:
    job = find_job(name)
    return job.title if job else name
