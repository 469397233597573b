"""What runs did, counted once: the figures of the dashboard without looking at every run again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class RunSummary(models.Model):
    """The runs that were asked for in one span of ten minutes, counted by how they ended.

    One row for all of them, which is there even when there were none, and one for each owner group, for people who see
    only some. Written by `jobs.summaries` from the ledger alone, again as long as some of the runs are not over; it
    can be deleted at any time and comes back.
    """

    begins_at = models.DateTimeField()
    is_total = models.BooleanField(help_text="The row of all runs, whatever their group.")
    owner_group_id = models.IntegerField(null=True, help_text="Empty: runs that belong to no group.")
    succeeded = models.PositiveIntegerField()
    partial = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()
    cancelled = models.PositiveIntegerField()
    skipped = models.PositiveIntegerField()
    missed = models.PositiveIntegerField()
    open = models.PositiveIntegerField(help_text="Runs that have not ended yet.")
    durations = ArrayField(
        models.PositiveIntegerField(),
        help_text="How many runs took how long: a histogram, its bounds are those of jobs.summaries.",
    )
    counted_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        verbose_name = "summary of runs"
        verbose_name_plural = "summaries of runs"
        constraints = [
            models.UniqueConstraint(
                fields=["begins_at", "is_total", "owner_group_id"],
                nulls_distinct=False,
                name="jobs_one_summary_per_span",
            )
        ]
        indexes = [
            # jobs.summaries: spans to be counted again
            models.Index(
                fields=["counted_at"], condition=models.Q(is_total=True, open__gt=0), name="jobs_summary_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.begins_at:%Y-%m-%d %H:%M}"
