"""The audit trail: who did what, when and from where. Rows are added and, when they are old, removed; never changed."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from jobs.models.visibility import visibility_of


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Questions about many events."""

    def visible_to(self, user: Any) -> Self:
        """Events about things of no group or of one of the user's."""
        return self.filter(visibility_of(user).condition("owner_group_id"))


class AuditEvent(models.Model):
    """One change, one use of a control, or one attempt to sign in."""

    class Action(models.TextChoices):
        ADDED = "added", "Added"
        CHANGED = "changed", "Changed"
        DELETED = "deleted", "Deleted"
        CONTROLLED = "controlled", "Used a control"
        SIGNED_IN = "signed_in", "Signed in"
        REFUSED = "refused", "Sign-in refused"
        LOCKED_OUT = "locked_out", "Locked out for a while"

    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=10, choices=Action.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
        help_text="Stays when the account is deleted.",
    )
    who = models.CharField(max_length=150, blank=True, help_text="The name of the account at the time.")
    api_key = models.CharField(max_length=120, blank=True, help_text="Name and start of the API key used.")
    address = models.CharField(max_length=64, blank=True, help_text="The network address it came from.")
    subject_type = models.CharField(
        max_length=120, blank=True, help_text='Such as "jobs.schedule"; empty for what is no row.'
    )
    subject_id = models.CharField(max_length=64, blank=True)
    subject = models.CharField(max_length=200, blank=True, help_text="Its name at the time.")
    message = models.TextField(blank=True)
    changes = models.JSONField(default=dict, help_text="Field to [before, after], as text.")
    owner_group_id = models.IntegerField(
        null=True, help_text="The group of the schedule or run: only members see the event."
    )

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = "audit event"
        ordering = ["-id"]
        default_permissions = ("view",)
        permissions = [("export_auditevent", "Can export the audit trail")]
        indexes = [
            models.Index(fields=["at"], name="jobs_audit_at"),
            models.Index(fields=["user", "-id"], name="jobs_audit_by_user"),
            models.Index(fields=["action", "-id"], name="jobs_audit_by_action"),
            models.Index(fields=["subject_type", "subject_id", "-id"], name="jobs_audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.subject or self.message}"
