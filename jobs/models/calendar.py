"""When schedules do not run: calendars of days, and windows of maintenance."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from jobs.models.schedule import Schedule


class Calendar(models.Model):
    """Days on which schedules that name the calendar have no slots, such as public holidays."""

    name = models.CharField(max_length=200, unique=True)
    description = models.CharField(max_length=500, blank=True)
    schedules = models.ManyToManyField(
        Schedule, blank=True, related_name="calendars", help_text="They have no slots on its days."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CalendarDays(models.Model):
    """A day, or several in a row, of a calendar. Days begin and end by the clocks of the schedule's time zone."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="days")
    first_day = models.DateField()
    last_day = models.DateField(help_text="Included; the same as the first for a single day.")
    is_yearly = models.BooleanField(
        "every year", default=False, help_text="The same day and month in every year."
    )
    note = models.CharField(max_length=200, blank=True, help_text="What is on, such as Christmas Day.")

    class Meta:
        verbose_name = "days of a calendar"
        verbose_name_plural = "days of calendars"
        ordering = ["first_day", "last_day"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")), name="jobs_calendar_days_in_order"
            ),
        ]

    def __str__(self) -> str:
        days = (
            str(self.first_day) if self.first_day == self.last_day else f"{self.first_day} to {self.last_day}"
        )
        return f"{days} {self.note}".strip()

    def covers(self, day: date) -> bool:
        """Whether the day is one of them."""
        if not self.is_yearly:
            return self.first_day <= day <= self.last_day
        first, last = (self.first_day.month, self.first_day.day), (self.last_day.month, self.last_day.day)
        here = (day.month, day.day)
        if (self.last_day - self.first_day).days >= 365:
            return True
        return first <= here <= last if first <= last else here >= first or here <= last


class MaintenanceWindow(models.Model):
    """A time in which slots are skipped or held until its end: once, or again and again by a crontab.

    It covers everything, or what is named: the jobs, the queues and the schedules, any of the three. What runs
    when it begins is left alone, and so is what people ask for by hand.
    """

    class Mode(models.TextChoices):
        HOLD = "hold", "Hold slots until its end"
        SKIP = "skip", "Skip slots"

    name = models.CharField(max_length=200, unique=True)
    note = models.CharField(max_length=200, blank=True, help_text="Shown with each slot that it stops.")
    enabled = models.BooleanField(default=True)
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.HOLD)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    cron = models.CharField(
        max_length=200, blank=True, help_text="Instead of a start: when it begins, again and again."
    )
    timezone = models.CharField(
        max_length=64, default="UTC", help_text="Whose clocks the expression is about."
    )
    duration_minutes = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(7 * 24 * 60)],
        help_text="How long it lasts each time.",
    )
    covers_all = models.BooleanField("covers everything", default=False)
    jobs = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    queues = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    schedules = models.ManyToManyField(Schedule, blank=True, related_name="maintenance_windows")

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(cron="", starts_at__lt=F("ends_at"))
                | (~Q(cron="") & Q(duration_minutes__isnull=False)),
                name="jobs_window_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name
