"""What runs did, counted once: the figures of the dashboard without looking at every run again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class RunSummary(models.Model):
    """The runs that were asked for in one span of ten minutes, counted by how they ended.

    Written by `jobs.summaries` from the ledger alone, again as long as some of them are not over; it can be deleted
    at any time and comes back.
    """

    begins_at = models.DateTimeField(primary_key=True)
    succeeded = models.PositiveIntegerField(default=0)
    partial = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    missed = models.PositiveIntegerField(default=0)
    open = models.PositiveIntegerField(default=0, help_text="Runs that have not ended yet.")
    durations = ArrayField(
        models.PositiveIntegerField(),
        help_text="How many runs took how long: a histogram, its bounds are those of jobs.summaries.",
    )
    counted_at = models.DateTimeField()

    class Meta:
        verbose_name = "summary of runs"
        verbose_name_plural = "summaries of runs"

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m-%d %H:%M}"
