"""Giving schedules and runs to a group, so that only its members (and those who see every group) see them."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import transaction
from django.db.models import QuerySet

from jobs import audit
from jobs.errors import InvalidInput
from jobs.models import JobRun, Schedule, SchedulePolicy, visibility_of


def choices(user: Any) -> QuerySet[Group]:
    """The groups that a user may give something to: those whose things the user sees."""
    visibility = visibility_of(user)
    groups = Group.objects.order_by("name")
    return groups if visibility.sees_all else groups.filter(pk__in=sorted(visibility.groups))


def chosen(name: str | None, user: Any) -> Group | None:
    """The group of that name, if the user may give something to it; raises InvalidInput."""
    if name is None:
        return None
    group = choices(user).filter(name=name).first()
    if group is None:
        raise InvalidInput({"owner_group": ["You can choose a group that you are a member of."]})
    return group


def give(schedule: Schedule, group: Group | None, *, by: AbstractBaseUser | None) -> None:
    """Give a schedule and all its runs, past ones too, to a group, or with None to everybody.

    The policy's lock comes first: slots that are being settled end before, and later ones inherit the new group.
    """
    with transaction.atomic():
        policy = SchedulePolicy.objects.select_for_update(of=("self",)).get(pk=schedule.pk)
        if policy.owner_group_id == (group.pk if group else None):
            return
        before = policy.owner_group
        SchedulePolicy.objects.filter(pk=schedule.pk).update(owner_group=group)
        runs = JobRun.objects.filter(schedule_id=schedule.pk).update(owner_group=group)
        audit.record(
            by,
            schedule,
            f"Given to {_name(group)}, with {runs} runs.",
            changes={"owner group": [_name(before), _name(group)]},
        )


def owns(group: Group) -> str:
    """What a group owns, in words; empty when nothing stands in the way of deleting it."""
    schedules = SchedulePolicy.objects.filter(owner_group=group).count()
    has_runs = JobRun.objects.filter(owner_group=group).exists()
    counted = "1 schedule" if schedules == 1 else f"{schedules} schedules"
    parts = [counted] * bool(schedules) + ["runs"] * has_runs
    return " and ".join(parts)


def _name(group: Group | None) -> str:
    return group.name if group else "everybody"
