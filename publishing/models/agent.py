"""Agents: who writes posts, of what, for whom, how often, and how much that may cost."""

from datetime import datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_celery_beat.models import PeriodicTask

from jobs.timing import InvalidTiming, zone_of
from publishing import writers
from publishing.models.publisher import Publisher
from publishing.models.source import Source
from publishing.writers import Length


class AgentQuerySet(models.QuerySet["Agent"]):
    """Questions about many agents."""

    def enabled(self) -> Self:
        return self.filter(is_enabled=True)

    def complete(self) -> Self:
        """With what lists show beside each: sources, publishers, and when it writes."""
        when = ("crontab", "interval", "solar", "clocked", "policy")
        return self.select_related(*(f"schedule__{name}" for name in when)).prefetch_related(
            "sources", "publishers"
        )


class Agent(models.Model):
    """Somebody who writes posts from the items of its sources.

    What becomes of a post that it has written is its `workflow`; when it writes is the schedule of the job
    `publishing.generate_post` that `schedule` points to (`publishing.agents`).
    """

    class Workflow(models.TextChoices):
        DRAFT = "draft", "Leave it as a draft"
        REVIEW = "review", "Ask for a review"
        SCHEDULED = "scheduled", "Schedule it for the next free day"
        AUTO = "auto", "Publish it at once"

    name = models.CharField(max_length=100, unique=True, help_text="Readers see it as the author.")
    is_enabled = models.BooleanField("enabled", default=True, help_text="Otherwise it writes nothing.")
    expertise = models.CharField(max_length=100, blank=True, help_text="What it knows about.")
    persona = models.TextField(blank=True, max_length=5000, help_text="Who is writing, in a few sentences.")
    tone = models.CharField(max_length=100, blank=True, default="professional")
    audience = models.CharField(max_length=200, blank=True, help_text="For whom it writes.")
    language = models.CharField(max_length=35, default="en", help_text="Such as en or de-AT.")
    length = models.CharField(
        max_length=12,
        choices=[(size.value, size.name.replace("_", " ").capitalize()) for size in Length],
        default=Length.MEDIUM,
    )
    writer = models.CharField(
        max_length=30, default=writers.DEFAULT_KIND, help_text="What puts the words together."
    )

    topic = models.CharField(
        max_length=300, blank=True, help_text="What posts are about; empty: whatever the sources bring."
    )
    keywords = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="To use; the first is the main one.",
    )
    avoid = ArrayField(
        models.CharField(max_length=100),
        default=list,
        blank=True,
        help_text="Words and phrases that must not occur.",
    )
    sources = models.ManyToManyField(Source, blank=True, related_name="agents")
    max_items = models.PositiveSmallIntegerField(
        default=20,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text="Of so many items at most a post is made; the newest that it has not used yet.",
    )
    max_age = models.DurationField(
        "items at most this old",
        default=timedelta(days=14),
        validators=[MinValueValidator(timedelta(hours=1))],
        help_text="Older items are not news any more.",
    )

    workflow = models.CharField(
        max_length=10, choices=Workflow, default=Workflow.REVIEW, help_text="What becomes of a post."
    )
    publishers = models.ManyToManyField(
        Publisher, blank=True, related_name="agents", help_text="Where posts go out."
    )
    publish_at = models.TimeField(
        default=time(10), help_text="The hour of scheduled posts, one post a day, in the time zone."
    )
    timezone = models.CharField(
        "time zone",
        max_length=63,
        default="UTC",
        help_text="Such as Europe/Warsaw; days and months of quotas begin there.",
    )
    schedule = models.OneToOneField(
        PeriodicTask, on_delete=models.SET_NULL, null=True, editable=False, related_name="agent"
    )

    daily_posts = models.PositiveIntegerField(
        "posts a day", null=True, blank=True, default=5, help_text="Empty: any number."
    )
    monthly_posts = models.PositiveIntegerField(
        "posts a month", null=True, blank=True, default=50, help_text="Empty: any number."
    )
    daily_tokens = models.PositiveBigIntegerField(
        "tokens a day", null=True, blank=True, help_text="Empty: any number."
    )
    monthly_tokens = models.PositiveBigIntegerField(
        "tokens a month", null=True, blank=True, default=1_000_000, help_text="Empty: any number."
    )
    daily_cost = models.DecimalField(
        "dollars a day",
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Empty: any amount.",
    )
    monthly_cost = models.DecimalField(
        "dollars a month",
        max_digits=10,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Empty: any amount.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [
            ("run_agent", "Can let an agent write now"),
            ("enable_agent", "Can enable and disable an agent"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problems: dict[str, Any] = {}
        if self.writer not in writers.kinds():
            problems["writer"] = (
                f"There is no writer named “{self.writer}”; known: {', '.join(writers.kinds())}."
            )
        try:
            zone_of(self.timezone)
        except InvalidTiming as error:
            problems["timezone"] = error.reason
        if problems:
            raise ValidationError(problems)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def day_began(self, at: datetime) -> datetime:
        """The midnight before, in its time zone: where its daily quotas begin."""
        return at.astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0)

    def month_began(self, at: datetime) -> datetime:
        """The first midnight of the month, in its time zone."""
        return self.day_began(at).replace(day=1)

    def day_ends(self, at: datetime) -> datetime:
        """The midnight to come, in its time zone: where its daily quotas begin anew."""
        return self.day_began(at) + timedelta(days=1)

    def month_ends(self, at: datetime) -> datetime:
        """The first midnight of the month to come, in its time zone."""
        return (self.month_began(at) + timedelta(days=32)).replace(day=1)
