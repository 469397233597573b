"""What the metrics count: totals that only grow, and what has happened since they were last added up."""

from django.db import models


class RunTally(models.Model):
    """One thing that happened to a run and is not yet part of the totals.

    Database triggers (migration `0009_telemetry`) write the row in the transaction of what happened, and
    `jobs.metrics.totals.fold` moves it into the totals in one statement. So each thing is counted exactly once,
    whoever changes the run, whichever process is killed, and also when the run itself is deleted.
    """

    class Event(models.TextChoices):
        """The end of a run is told by its status; these are the others."""

        RETRY = "retry", "An attempt failed and another follows"
        LOST = "lost", "A worker was lost with an attempt"
        RESEND = "resend", "The message was sent again"

    event = models.CharField(max_length=10, help_text="A status that ends runs, or one of `Event`.")
    job = models.CharField(max_length=200)
    seconds = models.FloatField(null=True, help_text="How long the last attempt took.")
    waited = models.FloatField(null=True, help_text="Seconds from the wish to the first attempt.")

    class Meta:
        default_permissions = ()
        verbose_name = "tally of a run"
        verbose_name_plural = "tallies of runs"

    def __str__(self) -> str:
        return f"{self.job}: {self.event}"


class MetricTotal(models.Model):
    """One number of the metrics since the installation began."""

    series = models.CharField(max_length=30, help_text="What is counted, such as `outcome`.")
    subject = models.CharField(max_length=200, help_text="Of which job or page.")
    key = models.CharField(max_length=40, help_text="An outcome, or the upper bound of a histogram's bucket.")
    count = models.BigIntegerField(default=0)
    seconds = models.FloatField(default=0, help_text="The sum of what was measured.")

    class Meta:
        default_permissions = ()
        verbose_name = "total"
        constraints = [
            models.UniqueConstraint(fields=["series", "subject", "key"], name="jobs_one_total_per_key")
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.subject} {self.key}: {self.count}"
