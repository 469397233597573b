"""Who changed what: Django's admin log, written by the functions that change things, whoever calls them."""

from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.db import models

__all__ = ["ADDITION", "CHANGE", "DELETION", "record"]


def record(by: AbstractBaseUser | None, thing: models.Model, message: str, *, action: int = CHANGE) -> None:
    """Leave an audit row; work of the system itself, with nobody behind it, leaves none."""
    if by is not None:
        LogEntry.objects.log_actions(by.pk, [thing], action, change_message=message, single_object=True)
