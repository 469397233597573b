"""What of the configuration file has been loaded."""

from django.db import models
from django.utils import timezone


class ConfiguredEntry(models.Model):
    """One entry of the configuration file that was loaded once, so that what people have deleted since stays away."""

    #: Such as "topic: hypertension".
    name = models.CharField(max_length=250, primary_key=True)
    loaded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "configured entries"

    def __str__(self) -> str:
        return self.name
