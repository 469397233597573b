"""Schedules that cannot run as they are: their job is gone, or does not take their parameters any more."""

import json
from collections import defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet

from jobs.definitions import find_job, is_known
from jobs.errors import InvalidParameters
from jobs.models import Schedule


@dataclass(frozen=True)
class Broken:
    """One schedule that cannot run, and why."""

    schedule_id: int
    name: str
    job: str
    reason: str


def orphans(schedules: QuerySet[Schedule] | None = None) -> list[Broken]:
    """Schedules whose job no code defines any more: they are never dispatched."""
    rows = Schedule.objects.all() if schedules is None else schedules
    names = rows.order_by().values_list("task", flat=True).distinct()
    gone = [name for name in names if not is_known(name)]
    return [
        Broken(pk, name, task, f"No code is left for {task}: its slots are recorded as missed.")
        for pk, name, task in rows.filter(task__in=gone).order_by("name").values_list("pk", "name", "task")
    ]


def misfits(schedules: QuerySet[Schedule] | None = None) -> list[Broken]:
    """Schedules whose stored parameters their job refuses, as after a deploy that changed the job.

    Equal parameters of one job are checked once.
    """
    rows = Schedule.objects.all() if schedules is None else schedules
    alike: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for pk, name, task, kwargs in rows.order_by("name").values_list("pk", "name", "task", "kwargs"):
        alike[task, kwargs].append((pk, name))
    found = [
        Broken(pk, name, task, problem)
        for (task, kwargs), which in alike.items()
        if (problem := _problem(task, kwargs))
        for pk, name in which
    ]
    return sorted(found, key=lambda broken: broken.name)


def _problem(task: str, kwargs: str) -> str:
    """What is wrong with parameters; empty when they fit, or nobody can tell."""
    job = find_job(task)
    try:
        parameters = json.loads(kwargs or "{}")
    except ValueError:
        return "What is stored as parameters is not JSON."
    if not isinstance(parameters, dict):
        return "What is stored as parameters is not a JSON object."
    if job is None:
        return ""
    try:
        job.clean(parameters)
    except InvalidParameters as error:
        return str(error)
    return ""
