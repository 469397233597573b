"""When a service may be asked again."""

from django.db import models
from django.db.models.functions import Now


class ServicePace(models.Model):
    """One row for each service with a limit of its own; `knowledge.rates` alone writes it, by the database's clock."""

    service = models.CharField(max_length=100, primary_key=True)
    next_at = models.DateTimeField(db_default=Now(), help_text="No request may start before.")
    busy_until = models.DateTimeField(
        null=True, blank=True, help_text="A request is on its way; after this time it is taken for dead."
    )
    holder = models.CharField(max_length=40, blank=True, help_text="Who sent it.")
    held_until = models.DateTimeField(
        null=True, blank=True, help_text="The service asked everybody to wait until then."
    )
    hold_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "pace of a service"
        verbose_name_plural = "paces of services"

    def __str__(self) -> str:
        return self.service
