"""Research jobs: searches that people set up, run by a schedule or by hand."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django_celery_beat.models import PeriodicTask

from knowledge.chunking import Mode
from knowledge.models.source import Source


class ResearchJobQuerySet(models.QuerySet["ResearchJob"]):
    """Questions about many research jobs."""

    def enabled(self) -> Self:
        return self.filter(is_enabled=True)


class ResearchJob(models.Model):
    """Keywords to look for in some sources. When it runs by itself is a cron expression or an interval (`schedule`)."""

    name = models.CharField(max_length=200, unique=True)
    keywords = ArrayField(
        models.CharField(max_length=200), help_text="At least one; a paper with any of them is meant."
    )
    sources = models.ManyToManyField(Source, related_name="research_jobs", help_text="What is asked.")
    is_enabled = models.BooleanField(
        "enabled", default=True, help_text="Otherwise it does not run by itself."
    )
    max_papers = models.PositiveSmallIntegerField(
        default=50,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="Of one run, 1 to 1,000.",
    )
    days_back = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(1), MaxValueValidator(3650)]
    )
    mode = models.CharField(
        max_length=8,
        choices=[(mode.value, mode.value.capitalize()) for mode in Mode],
        default=Mode.BALANCED.value,
        help_text="How finely its papers are cut into passages.",
    )
    schedule = models.OneToOneField(
        PeriodicTask,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="research_job",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    objects = ResearchJobQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [
            ("run_researchjob", "Can run research jobs now"),
            ("enable_researchjob", "Can enable and disable research jobs"),
        ]

    def __str__(self) -> str:
        return self.name
