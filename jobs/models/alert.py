"""Alerts: what is wrong now, since when and how often; and everything that happened to each."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, Group
from django.db import models
from django.db.models import Exists, OuterRef, Q

from jobs.models.visibility import visibility_of


class AlertQuerySet(models.QuerySet["Alert"]):
    """Questions about many alerts."""

    def visible_to(self, user: Any) -> Self:
        """Alerts that belong to no group or to one of the user's. Every way in starts with this."""
        return self.filter(visibility_of(user).condition("owner_group"))

    def live(self) -> Self:
        """Alerts of something that is wrong now: open, acknowledged or snoozed."""
        return self.filter(state__in=Alert.State.live())

    def shown(self) -> Self:
        """Everything that people get to see: not what has not been bad for long enough yet."""
        return self.exclude(state=Alert.State.PENDING)

    def unread_by(self, user: AbstractBaseUser) -> Self:
        """Live alerts with news that the user has not read; those folded into an incident are read with it."""
        read = AlertRead.objects.filter(alert=OuterRef("pk"), user_id=user.pk, at__gte=OuterRef("news_at"))
        return self.live().filter(~Exists(read), incident=None)


class Alert(models.Model):
    """Something that is wrong, or was: one row for each cause, however often it is seen.

    The fingerprint tells causes apart; among alerts of a kind that are not resolved it is unique::

        pending -> open <-> acknowledged        seen; seen often or long enough; somebody looks after it
                    ^  \\      /
                    |   snoozed (until)         not now; it comes back by itself
                    |      |
                    +-- resolved                by itself, by a person, or dismissed: it was none

    A resolved alert whose cause comes back soon is opened again; later, a new row is made. Rows are changed
    by the conditional updates of `jobs.alerts`, never by `save()`, and each change leaves an `AlertEvent` in
    the same transaction.
    """

    class Severity(models.TextChoices):
        CRITICAL = "critical", "Critical"
        HIGH = "high", "High"
        MEDIUM = "medium", "Medium"
        LOW = "low", "Low"

        @property
        def rank(self) -> int:
            """0 is the worst."""
            return list(Alert.Severity).index(self)

    class State(models.TextChoices):
        PENDING = "pending", "Not yet open"
        OPEN = "open", "Open"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        SNOOZED = "snoozed", "Snoozed"
        RESOLVED = "resolved", "Resolved"

        @classmethod
        def live(cls) -> list["Alert.State"]:
            return [cls.OPEN, cls.ACKNOWLEDGED, cls.SNOOZED]

    class Resolution(models.TextChoices):
        NONE = "", "None yet"
        RECOVERED = "recovered", "Recovered by itself"
        MANUAL = "manual", "Resolved by a person"
        DISMISSED = "dismissed", "Dismissed"

    kind = models.CharField(max_length=100, help_text="Such as jobs.run_failed; apps register theirs.")
    severity = models.CharField(max_length=8, choices=Severity.choices)
    fingerprint = models.CharField(max_length=200, help_text="Equal for sightings of one cause.")
    app = models.CharField(max_length=50, help_text="The app that raised it.")
    job = models.CharField(max_length=200, blank=True, help_text="The job it is about, if it is about one.")
    subject_type = models.CharField(max_length=50, blank=True, help_text="Such as run, schedule or queue.")
    subject_id = models.CharField(max_length=100, blank=True)
    subject_text = models.CharField(max_length=300, blank=True, help_text="The subject as people call it.")
    link = models.CharField(max_length=500, blank=True, help_text="Path of the subject's page.")
    title = models.CharField(max_length=200)
    message = models.TextField(blank=True)
    context = models.JSONField(
        default=dict, blank=True, help_text="Facts for people and programs; no personal data."
    )
    priority = models.PositiveSmallIntegerField(default=0, help_text="0 to 100; 100 is looked at first.")

    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(
        max_length=9, choices=Resolution.choices, blank=True, default=Resolution.NONE
    )
    count = models.PositiveIntegerField(default=0, help_text="How often it was seen.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(help_text="When it was last seen to be bad.")
    opened_at = models.DateTimeField(null=True, blank=True, help_text="When it was last opened.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    #: What happened before is read; what happens from now on is news to everybody.
    news_at = models.DateTimeField()
    #: When people were last told of it; sightings within the kind's cool-down only count.
    told_at = models.DateTimeField(null=True, blank=True)
    bad_in_a_row = models.PositiveIntegerField(default=0)
    bad_since = models.DateTimeField(null=True, blank=True)
    good_in_a_row = models.PositiveSmallIntegerField(default=0)
    is_flapping = models.BooleanField(default=False, help_text="Opens and closes again and again.")
    incident = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="folded",
        db_index=False,
        help_text="The outage that explains it.",
    )

    owner_group = models.ForeignKey(
        Group,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Only members see it, like the runs it is about. Empty: everybody who may see alerts.",
    )

    objects = AlertQuerySet.as_manager()

    class Meta:
        verbose_name = "alert"
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "fingerprint"],
                condition=~Q(state="resolved"),
                name="jobs_one_alert_per_cause",
            ),
            models.CheckConstraint(condition=Q(priority__lte=100), name="jobs_alert_priority_to_100"),
            models.CheckConstraint(
                condition=Q(state="snoozed", snoozed_until__isnull=False)
                | ~Q(state="snoozed") & Q(snoozed_until__isnull=True),
                name="jobs_alert_snoozed_until",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "-id"], condition=~Q(state="resolved"), name="jobs_alert_live"),
            # jobs.alerts: what was resolved lately and may come back; and what is old enough to be forgotten
            models.Index(
                fields=["kind", "fingerprint", "-resolved_at"],
                condition=Q(state="resolved"),
                name="jobs_alert_resolved",
            ),
            models.Index(fields=["resolved_at"], condition=Q(state="resolved"), name="jobs_alert_old"),
            models.Index(fields=["-last_seen_at"], name="jobs_alert_seen"),
            models.Index(fields=["incident"], condition=Q(incident__isnull=False), name="jobs_alert_folded"),
        ]
        permissions = [
            ("acknowledge_alert", "Can acknowledge alerts"),
            ("snooze_alert", "Can snooze alerts"),
            ("resolve_alert", "Can resolve alerts"),
            ("dismiss_alert", "Can dismiss alerts"),
            ("cleanup_alerts", "Can delete old alerts"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_live(self) -> bool:
        return self.state in Alert.State.live()

    def is_news_to(self, read_at: datetime | None) -> bool:
        """Whether there is something new for a person who last read it then."""
        return self.is_live and (read_at is None or read_at < self.news_at)


class AlertEventQuerySet(models.QuerySet["AlertEvent"]):
    """Questions about many events."""

    def to_notify(self) -> Self:
        """What nobody was told of yet, oldest first: the outbox of notifications."""
        return self.filter(notified_at=None).order_by("pk")


class AlertEvent(models.Model):
    """One thing that happened to an alert: its history, and the outbox of notifications.

    Whoever sends notifications takes rows whose `notified_at` is empty and fills it. Events that nobody is to be
    told of (folded into an incident, flapping) are written with it filled and `is_silent` set.
    """

    class What(models.TextChoices):
        OPENED = "opened", "Opened"
        REPEATED = "repeated", "Seen again"
        ESCALATED = "escalated", "Became more severe"
        EASED = "eased", "Became less severe"
        ACKNOWLEDGED = "acknowledged", "Acknowledged"
        SNOOZED = "snoozed", "Snoozed"
        UNSNOOZED = "unsnoozed", "Came back from its snooze"
        RESOLVED = "resolved", "Resolved"
        REOPENED = "reopened", "Opened again"
        DISMISSED = "dismissed", "Dismissed"
        FLAPPING = "flapping", "Opens and closes again and again"
        STEADY = "steady", "No longer flapping"
        FOLDED = "folded", "Folded into an incident"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="events")
    what = models.CharField(max_length=12, choices=What.choices)
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text="Empty: the system itself.",
    )
    severity = models.CharField(max_length=8, choices=Alert.Severity.choices, help_text="At that moment.")
    note = models.CharField(max_length=500, blank=True)
    context = models.JSONField(default=dict, blank=True)
    is_silent = models.BooleanField(default=False, help_text="Nobody is told of it.")
    notified_at = models.DateTimeField(null=True, blank=True, help_text="When notifications took it up.")

    objects = AlertEventQuerySet.as_manager()

    class Meta:
        verbose_name = "alert event"
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["id"], condition=Q(notified_at__isnull=True), name="jobs_alertevent_outbox"),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()}: {self.alert_id}"


class AlertRead(models.Model):
    """A person has read an alert, as it was at that moment."""

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="reads", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        verbose_name = "reader of an alert"
        verbose_name_plural = "readers of an alert"
        constraints = [models.UniqueConstraint(fields=["alert", "user"], name="jobs_one_read_per_user")]

    def __str__(self) -> str:
        return f"{self.user_id} read {self.alert_id}"


class AlertWatch(models.Model):
    """The watch's memory, one row: when it last looked, and when it last saw each part well."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    looked_at = models.DateTimeField(null=True, blank=True)
    scheduler_seen_at = models.DateTimeField(null=True, blank=True)
    broker_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "watch"
        verbose_name_plural = "watches"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="jobs_one_alert_watch")]

    def __str__(self) -> str:
        return f"Looked at {self.looked_at}"
