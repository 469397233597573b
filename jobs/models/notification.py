"""Deliveries: the outbox of notifications, what came of each attempt, and the inbox of each user."""

import uuid
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from jobs.models.alert import Alert, AlertEvent
from jobs.models.channel import EscalationStep, NotificationChannel, NotificationRule
from jobs.models.run import new_run_id
from jobs.models.visibility import visibility_of


class DigestEntry(models.Model):
    """Something that waits to be told with others of its rule and channel. Deleted when its digest is made."""

    channel = models.ForeignKey(NotificationChannel, on_delete=models.CASCADE, related_name="+")
    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="+", db_index=False)
    event = models.ForeignKey(AlertEvent, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "collected notification"
        constraints = [
            models.UniqueConstraint(fields=["rule", "channel", "event"], name="jobs_one_digest_entry")
        ]

    def __str__(self) -> str:
        return f"{self.event_id} for {self.channel_id}"


class Escalation(models.Model):
    """A step that will be taken unless somebody acknowledges the alert first. Deleted once it is decided."""

    event = models.ForeignKey(AlertEvent, on_delete=models.CASCADE, related_name="+")
    step = models.ForeignKey(EscalationStep, on_delete=models.CASCADE, related_name="+", db_index=False)
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "waiting escalation"
        constraints = [models.UniqueConstraint(fields=["step", "event"], name="jobs_one_escalation")]

    def __str__(self) -> str:
        return f"{self.step_id} for {self.event_id}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Questions about many deliveries."""

    def visible_to(self, user: Any) -> Self:
        """Those of no owner group, and those that are only about groups of the user's."""
        seen = visibility_of(user)
        return self if seen.sees_all else self.filter(owner_groups__contained_by=sorted(seen.groups))

    def ended_before(self, moment: datetime) -> Self:
        return self.filter(state__in=Delivery.State.ended(), created_at__lt=moment)


class Delivery(models.Model):
    """One message over one channel to one recipient: a row of the outbox, and afterwards the record of it.

        waiting -> sending -> sent
           ^          |-> waiting (later: its time moves on)      failed (refused, or given up)
           +----------+   the process died: its lease runs out
        waiting -> withdrawn (the channel was gone, or it came to be too old)

    Whoever sends claims the row with a conditional update that counts the attempt up; only the attempt that owns it may
    write its outcome. The id goes along as idempotency id: the same for every attempt.
    """

    class Purpose(models.TextChoices):
        ALERT = "alert", "Alert"
        ESCALATION = "escalation", "Escalation"
        DIGEST = "digest", "Digest"
        REPORT = "report", "Report"
        TEST = "test", "Test"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"
        WITHDRAWN = "withdrawn", "Withdrawn"

        @classmethod
        def ended(cls) -> list["Delivery.State"]:
            return [cls.SENT, cls.FAILED, cls.WITHDRAWN]

    id = models.UUIDField(primary_key=True, default=new_run_id, editable=False)
    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    recipient = models.CharField(max_length=320, blank=True, help_text="Empty: the channel has but one.")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    #: What it is about; the same is never delivered twice to one recipient of a channel.
    key = models.CharField(max_length=200)
    alert = models.ForeignKey(
        Alert, on_delete=models.SET_NULL, null=True, blank=True, related_name="deliveries", db_index=False
    )
    event = models.ForeignKey(AlertEvent, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    rule = models.ForeignKey(
        NotificationRule, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    owner_groups = ArrayField(
        models.IntegerField(), default=list, blank=True, help_text="Owner groups of what it tells."
    )
    severity = models.CharField(max_length=8, choices=Alert.Severity.choices, default=Alert.Severity.LOW)
    title = models.CharField(max_length=300)
    message = models.JSONField(help_text="What is sent, the same at every attempt.")
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="Not before.")
    expires_at = models.DateTimeField(help_text="Too late from then on.")
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    last_answer = models.CharField(
        max_length=500, blank=True, help_text="Of the other side, or why there was none."
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = "delivery"
        verbose_name_plural = "deliveries"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "recipient", "key"], name="jobs_one_delivery"),
            models.CheckConstraint(
                condition=Q(state="sending", lease_until__isnull=False)
                | ~Q(state="sending") & Q(lease_until=None),
                name="jobs_delivery_lease",
            ),
        ]
        indexes = [
            # jobs.notifications.courier: the questions of every round
            models.Index(
                fields=["channel", "due_at"], condition=Q(state="waiting"), name="jobs_delivery_due"
            ),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="jobs_delivery_leased"),
            # repeats and recoveries: what was told of an alert
            models.Index(fields=["alert", "-id"], name="jobs_delivery_of_alert"),
            models.Index(fields=["channel", "-id"], name="jobs_delivery_of_channel"),
        ]
        permissions = [("retry_delivery", "Can send failed deliveries again")]

    def __str__(self) -> str:
        return self.title


class DeliveryAttempt(models.Model):
    """What came of one attempt: what was asked and answered, without anything secret."""

    class Outcome(models.TextChoices):
        SENT = "sent", "Sent"
        LATER = "later", "Not now"
        REFUSED = "refused", "Refused"
        LOST = "lost", "Lost: the process died"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    outcome = models.CharField(max_length=7, choices=Outcome.choices)
    request = models.JSONField(default=dict, help_text="Where it went and how large it was.")
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="Of HTTP or SMTP.")
    answer = models.TextField(blank=True, help_text="The beginning of the answer, or the error.")

    class Meta:
        verbose_name = "attempt"
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["delivery", "number"], name="jobs_one_delivery_attempt")
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number}: {self.get_outcome_display()}"


class InboxQuerySet(models.QuerySet["InboxMessage"]):
    """Questions about many messages."""

    def of(self, user: AbstractBaseUser) -> Self:
        return self.filter(user_id=user.pk)

    def unread(self) -> Self:
        return self.filter(read_at=None)


class InboxMessage(models.Model):
    """A notification in a user's inbox."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="inbox", db_index=False
    )
    delivery_id = models.UUIDField(default=uuid.uuid4, editable=False, help_text="What brought it.")
    alert = models.ForeignKey(Alert, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    title = models.CharField(max_length=300)
    text = models.TextField(blank=True)
    severity = models.CharField(max_length=8, choices=Alert.Severity.choices)
    link = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    objects = InboxQuerySet.as_manager()

    class Meta:
        verbose_name = "message"
        ordering = ["-pk"]
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(fields=["delivery_id", "user"], name="jobs_one_message_per_delivery")
        ]
        indexes = [
            models.Index(F("user"), F("id").desc(), name="jobs_inbox"),
            models.Index(fields=["user"], condition=Q(read_at=None), name="jobs_inbox_unread"),
        ]

    def __str__(self) -> str:
        return self.title
