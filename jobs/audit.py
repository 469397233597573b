"""Who changed what: written by the functions that change things, whoever calls them.

Each change is told twice: in the audit trail (`AuditEvent`: with where it came from and what was before), which has a
page of its own, and in Django's admin log, which is the history on the page of each thing.
"""

from collections.abc import Mapping, Sequence

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

from jobs import origin
from jobs.models import AuditEvent, JobRun, Schedule, SchedulePolicy

__all__ = ["ADDITION", "CHANGE", "DELETION", "event", "record", "record_about", "write"]

Changes = Mapping[str, Sequence[str]]
Action = AuditEvent.Action

_ACTIONS = {ADDITION: Action.ADDED, CHANGE: Action.CHANGED, DELETION: Action.DELETED}


def record(
    by: AbstractBaseUser | None,
    thing: models.Model,
    message: str,
    *,
    action: int = CHANGE,
    changes: Changes | None = None,
) -> None:
    """Leave an audit row; work of the system itself, with nobody behind it, leaves none."""
    if by is not None:
        LogEntry.objects.log_actions(by.pk, [thing], action, change_message=message, single_object=True)
        write(_ACTIONS[action], by=by, thing=thing, message=message, changes=changes)


def record_about(by: AbstractBaseUser | None, what: str, message: str) -> None:
    """Leave an audit row about something that is no row of the database, such as a queue."""
    if by is not None:
        LogEntry.objects.create(
            user_id=by.pk, object_repr=what[:200], action_flag=CHANGE, change_message=message
        )
        write(Action.CONTROLLED, by=by, subject=what, message=message)


def write(
    action: AuditEvent.Action,
    *,
    by: AbstractBaseUser | None,
    thing: models.Model | None = None,
    subject: str = "",
    message: str = "",
    changes: Changes | None = None,
    who: str = "",
) -> None:
    """Add an event to the audit trail."""
    event(action, by=by, thing=thing, subject=subject, message=message, changes=changes, who=who).save(
        force_insert=True
    )


def event(
    action: AuditEvent.Action,
    *,
    by: AbstractBaseUser | None,
    thing: models.Model | None = None,
    subject: str = "",
    message: str = "",
    changes: Changes | None = None,
    who: str = "",
) -> AuditEvent:
    """An event that is not saved yet, with the origin of the present request."""
    came = origin.current()
    return AuditEvent(
        action=action,
        user_id=by.pk if by else None,
        who=(by.get_username() if by else who)[:150],
        api_key=came.api_key,
        address=came.address,
        subject_type=thing._meta.label_lower if thing else "",
        subject_id=str(thing.pk)[:64] if thing else "",
        subject=(str(thing) if thing else subject)[:200],
        message=message,
        changes={name: list(pair) for name, pair in (changes or {}).items()},
        owner_group_id=_owner_group_id(thing),
    )


def _owner_group_id(thing: models.Model | None) -> int | None:
    match thing:
        case JobRun():
            return thing.owner_group_id
        case Schedule():
            found = SchedulePolicy.objects.filter(pk=thing.pk).values_list("owner_group_id", flat=True)
            return found.first()
    return None
