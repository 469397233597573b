"""The inbox of a user: what is unread, and reading it."""

from collections.abc import Collection

from django.contrib.auth.models import AbstractBaseUser
from django.utils import timezone

from jobs.models import InboxMessage


def unread_count(user: AbstractBaseUser) -> int:
    """How many messages the user has not read."""
    return InboxMessage.objects.of(user).unread().count()


def mark_read(user: AbstractBaseUser, ids: Collection[int] | None = None) -> int:
    """Mark the user's messages as read, those named or all; returns how many were unread."""
    messages = InboxMessage.objects.of(user).unread()
    if ids is not None:
        messages = messages.filter(pk__in=ids)
    return messages.update(read_at=timezone.now())


def mark_unread(user: AbstractBaseUser, ids: Collection[int]) -> int:
    """Put messages back among the unread ones; returns how many."""
    return InboxMessage.objects.of(user).exclude(read_at=None).filter(pk__in=ids).update(read_at=None)
