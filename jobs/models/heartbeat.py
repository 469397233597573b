"""Which schedulers and workers are alive."""

from django.db import models


class ProcessHeartbeat(models.Model):
    """A long-lived process says here every few seconds that it is alive."""

    class Kind(models.TextChoices):
        BEAT = "beat", "Scheduler"
        WORKER = "worker", "Worker"

    kind = models.CharField(max_length=6, choices=Kind.choices)
    name = models.CharField(
        max_length=200, help_text="Unique among living processes of the kind, as kind@host:pid."
    )
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    info = models.JSONField(default=dict, help_text="Worker: queues, concurrency. Scheduler: lag in seconds.")

    class Meta:
        verbose_name = "process"
        verbose_name_plural = "processes"
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="jobs_one_heartbeat_per_process")
        ]
        permissions = [("control_worker", "Can change and stop running workers")]

    def __str__(self) -> str:
        return self.name
