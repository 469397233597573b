"""Who changed what: Django's admin log, written by the functions that change things, whoever calls them."""

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

__all__ = ["ADDITION", "CHANGE", "DELETION", "record", "record_about"]


def record(by: AbstractBaseUser | None, thing: models.Model, message: str, *, action: int = CHANGE) -> None:
    """Leave an audit row; work of the system itself, with nobody behind it, leaves none."""
    if by is not None:
        LogEntry.objects.log_actions(by.pk, [thing], action, change_message=message, single_object=True)


def record_about(by: AbstractBaseUser | None, what: str, message: str) -> None:
    """Leave an audit row about something that is no row of the database, such as a queue."""
    if by is not None:
        LogEntry.objects.create(
            user_id=by.pk, object_repr=what[:200], action_flag=CHANGE, change_message=message
        )
