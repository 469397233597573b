"""Attempts of a run that were followed by another one: what the run's own row forgets when it is claimed again."""

from django.db import models

from jobs.models.run import JobRun


class RunAttempt(models.Model):
    """An attempt that ended without ending its run: it failed and is made again, or its worker was lost.

    Most runs have none: the latest attempt stands in the run's own row. Rows are written by `jobs.ledger` in the
    statement that ends the attempt.
    """

    class Ended(models.TextChoices):
        FAILED = "failed", "Failed"
        LOST = "lost", "Lost with its worker"

    run = models.ForeignKey(JobRun, on_delete=models.CASCADE, related_name="attempts", db_index=False)
    attempt = models.PositiveSmallIntegerField()
    ended = models.CharField(max_length=6, choices=Ended.choices)
    admitted_at = models.DateTimeField(
        null=True, blank=True, help_text="When the limits of its job let it through; empty: it never waited."
    )
    published_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was first sent to the broker."
    )
    started_at = models.DateTimeField(help_text="When a worker claimed it.")
    ended_at = models.DateTimeField(
        help_text="When its end was recorded; of a lost one when that was noticed."
    )
    retry_at = models.DateTimeField(
        null=True, blank=True, help_text="When the next attempt was due; empty: at once."
    )
    worker = models.CharField(max_length=200, blank=True)
    error_type = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    error_fingerprint = models.CharField(max_length=40, blank=True)

    class Meta:
        verbose_name = "earlier attempt"
        ordering = ["run", "attempt"]
        constraints = [
            models.UniqueConstraint(fields=["run", "attempt"], name="jobs_one_row_per_attempt"),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.attempt} of {self.run_id}"
