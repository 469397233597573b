"""Channels and rules: where notifications go, and which of them go where."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from jobs.models.alert import Alert, AlertEvent
from jobs.secrets import SealedField

Severity = Alert.Severity
#: A rule's word for reports, beside what happens to alerts.
REPORT = "report"


def _zone_exists(name: str) -> None:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValidationError(f"There is no time zone named {name!r}.") from error


def _time_zone() -> "models.CharField[str, str]":
    return models.CharField(
        max_length=64, default="UTC", validators=[_zone_exists], help_text="Such as Europe/Berlin."
    )


class NotificationChannel(models.Model):
    """A way to reach people or programs: addresses of one kind, with its quiet hours and its health.

    The kind (`jobs.notifications.channels`) says what `settings` and `secrets` hold. A channel whose other side
    refuses for good is disabled by the system, which says why; enabling it again clears that.
    """

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=30, help_text="A registered kind of channel.")
    settings = models.JSONField(default=dict, blank=True)
    secrets = SealedField()
    is_enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(
        max_length=500,
        blank=True,
        editable=False,
        help_text="Why the system disabled it; empty: a person did.",
    )
    disabled_at = models.DateTimeField(null=True, blank=True, editable=False)
    refused_recipients = models.JSONField(
        default=dict, blank=True, editable=False, help_text="Recipients that are left out, with the reason."
    )

    time_zone = _time_zone()
    quiet_from = models.TimeField(null=True, blank=True, help_text="Nothing is sent from this time of day …")
    quiet_until = models.TimeField(
        null=True, blank=True, help_text="… to this one; it waits, and is sent then."
    )
    critical_is_never_quiet = models.BooleanField(
        default=True, verbose_name="critical passes", help_text="Critical alerts are sent in quiet hours too."
    )

    #: The other side asked for a pause, by `Retry-After`.
    pause_until = models.DateTimeField(null=True, blank=True, editable=False)
    failures_in_a_row = models.PositiveIntegerField(default=0, editable=False)
    last_error = models.CharField(max_length=500, blank=True, editable=False)
    last_failed_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_sent_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "notification channel"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from=None, quiet_until=None)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="jobs_channel_quiet_hours_whole",
                violation_error_message="Quiet hours need both a start and an end.",
            )
        ]
        permissions = [
            ("test_notificationchannel", "Can send a test over notification channels"),
            ("enable_notificationchannel", "Can enable and disable notification channels"),
        ]

    def __str__(self) -> str:
        return self.name

    def sends_from(self, moment: datetime, severity: str) -> datetime:
        """The moment itself, or the end of the quiet hours that it falls into."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return moment
        if self.critical_is_never_quiet and severity == Severity.CRITICAL:
            return moment
        local = moment.astimezone(ZoneInfo(self.time_zone))
        if not is_within(local.time(), self.quiet_from, self.quiet_until):
            return moment
        return next_moment(moment, self.quiet_until, self.time_zone)


class NotificationRule(models.Model):
    """Which alerts, when, go to which channels. Rules are asked in order; the default one if no other matched."""

    class Pace(models.TextChoices):
        AT_ONCE = "at_once", "At once"
        HOURLY = "hourly", "Collected, once an hour"
        DAILY = "daily", "Collected, once a day"

    CHANGES = [
        *[(str(what.value), str(what.label)) for what in AlertEvent.What if what != AlertEvent.What.FOLDED],
        (REPORT, "Report"),
    ]

    name = models.CharField(max_length=100, unique=True)
    position = models.PositiveIntegerField(
        default=100, help_text="Rules are asked from the lowest to the highest."
    )
    is_enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(
        default=False, verbose_name="default", help_text="Asked only when no other rule has matched."
    )
    stops = models.BooleanField(
        default=False, verbose_name="stop here", help_text="When it matches, no later rule is asked."
    )

    kinds = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Kinds of alerts, such as jobs.run_failed or jobs.*; empty: all.",
    )
    sources = ArrayField(
        models.CharField(max_length=200),
        default=list,
        blank=True,
        help_text="Apps, jobs, subjects or owner groups, such as publishing.* or group:data; empty: all.",
    )
    severity_at_least = models.CharField(max_length=8, choices=Severity.choices, default=Severity.LOW)
    changes = ArrayField(
        models.CharField(max_length=12, choices=CHANGES),
        default=list,
        help_text="What has to happen to an alert.",
    )
    tells_recovery = models.BooleanField(
        default=True,
        verbose_name="recovery",
        help_text="Whoever was told of an alert is told when it is resolved.",
    )
    weekdays = ArrayField(
        models.PositiveSmallIntegerField(validators=[MaxValueValidator(6)]),
        default=list,
        blank=True,
        help_text="0 is Monday, 6 is Sunday; empty: every day.",
    )
    from_time = models.TimeField(null=True, blank=True, help_text="Only from this time of day …")
    until_time = models.TimeField(null=True, blank=True, help_text="… to this one.")
    time_zone = _time_zone()

    channels = models.ManyToManyField(NotificationChannel, related_name="rules", blank=True)
    pace = models.CharField(max_length=7, choices=Pace.choices, default=Pace.AT_ONCE)
    digest_at = models.TimeField(default=time(8, 0), help_text="When a daily collection is sent.")
    repeat_minutes = models.PositiveIntegerField(
        default=240,
        validators=[MinValueValidator(1), MaxValueValidator(60 * 24 * 365)],
        help_text="An alert that is seen again is told at most every so many minutes.",
    )

    class Meta:
        verbose_name = "notification rule"
        ordering = ["is_default", "position", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["is_default"], condition=Q(is_default=True), name="jobs_one_default_rule"
            ),
            models.CheckConstraint(
                condition=Q(from_time=None, until_time=None)
                | Q(from_time__isnull=False, until_time__isnull=False),
                name="jobs_rule_window_whole",
                violation_error_message="A time window needs both a start and an end.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def digest_due(self, moment: datetime) -> datetime | None:
        """When something that is collected now will be sent; None for a rule that sends at once."""
        match self.pace:
            case self.Pace.HOURLY:
                return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
            case self.Pace.DAILY:
                return next_moment(moment, self.digest_at, self.time_zone)
        return None


class EscalationStep(models.Model):
    """Further channels of a rule, told when nobody has acknowledged the alert by then."""

    rule = models.ForeignKey(NotificationRule, on_delete=models.CASCADE, related_name="steps")
    after_minutes = models.PositiveIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(60 * 24 * 30)],
        help_text="Minutes after the alert was opened.",
    )
    channels = models.ManyToManyField(NotificationChannel, related_name="steps")

    class Meta:
        verbose_name = "escalation step"
        ordering = ["after_minutes"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "after_minutes"], name="jobs_one_step_per_time")
        ]

    def __str__(self) -> str:
        return f"After {self.after_minutes} minutes"


def is_within(at: time, start: time, end: time) -> bool:
    """Whether a time of day is from `start` up to but not including `end`, which may be past midnight."""
    return start <= at < end if start < end else at >= start or at < end


def next_moment(after: datetime, at: time, zone: str) -> datetime:
    """The first moment later than `after` when the clocks of the zone show `at`, as UTC.

    A time that the clocks skip comes as much later as they skip; of one that comes twice it is the first.
    """
    place = ZoneInfo(zone)
    day = after.astimezone(place).date()
    while True:
        moment = datetime.combine(day, at, place).astimezone(after.tzinfo)
        if moment > after:
            return moment
        day += timedelta(days=1)
