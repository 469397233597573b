"""What people decided about failures of one cause."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q


class FailureDecisionQuerySet(models.QuerySet["FailureDecision"]):
    """Questions about many decisions."""

    def in_force(self, at: datetime) -> Self:
        """Decisions that hold at a moment."""
        return self.filter(Q(until__isnull=True) | Q(until__gt=at))


class FailureDecision(models.Model):
    """A decision about every failure with one error fingerprint, those to come included.

    A fingerprint stands for one cause in one job: when the cause changes, so does the fingerprint, and the
    decision does not reach the new one.
    """

    class Action(models.TextChoices):
        MUTED = "muted", "Muted"
        ARCHIVED = "archived", "Will not be fixed"

    fingerprint = models.CharField(max_length=40, primary_key=True)
    action = models.CharField(max_length=8, choices=Action.choices)
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until the cause changes.")
    note = models.CharField(max_length=300, blank=True)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = FailureDecisionQuerySet.as_manager()

    class Meta:
        verbose_name = "decision about a failure"
        verbose_name_plural = "decisions about failures"
        default_permissions = ()
        permissions = [("mute_failure", "Can mute and archive failures")]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.fingerprint}"
