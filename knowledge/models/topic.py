"""Topics: what is kept up to date."""

from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_celery_beat.models import PeriodicTask

from knowledge.models.source import Source


class TopicQuerySet(models.QuerySet["Topic"]):
    """Questions about many topics."""

    def enabled(self) -> Self:
        return self.filter(is_enabled=True)

    def most_urgent_first(self) -> Self:
        """By priority, then by name."""
        return self.order_by("priority", "name")


class Topic(models.Model):
    """A subject whose new papers are brought in.

    All enabled topics without a schedule of their own are updated by the nightly run of
    `knowledge.update_knowledge_base`; one with a schedule by that.
    """

    class Priority(models.IntegerChoices):
        HIGH = 1, "High"
        MEDIUM = 2, "Medium"
        LOW = 3, "Low"

    name = models.CharField(max_length=200, unique=True)
    priority = models.PositiveSmallIntegerField(
        choices=Priority, default=Priority.MEDIUM, help_text="Those of high priority come first."
    )
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="Otherwise nothing is looked for; what is here stays."
    )
    papers_per_run = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="At most so many new papers from each source at a time, 1 to 20.",
    )
    days_back = models.PositiveSmallIntegerField(
        default=7,
        validators=[MinValueValidator(1), MaxValueValidator(90)],
        help_text="How far each update looks back, 1 to 90 days; what is here already is not brought in again.",
    )
    schedule = models.OneToOneField(
        PeriodicTask,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="knowledge_topic",
    )
    updated_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When an update of it last ended well."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TopicQuerySet.as_manager()

    class Meta:
        ordering = ["priority", "name"]
        permissions = [("run_topic", "Can update topics now")]

    def __str__(self) -> str:
        return self.name


class TopicQuery(models.Model):
    """What a source is asked for a topic. A source without a row is asked for the topic's name."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="queries")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="topic_queries")
    text = models.TextField(
        blank=True, max_length=4000, help_text="In the source's own syntax; empty: the topic's name."
    )
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="Otherwise this source is not asked for the topic."
    )

    class Meta:
        ordering = ["source__name"]
        verbose_name_plural = "topic queries"
        constraints = [
            models.UniqueConstraint(fields=["topic", "source"], name="knowledge_topic_query_once"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} at {self.source}"
