"""How politely each host is asked, shared by all workers."""

from django.db import models


class HostPace(models.Model):
    """One host: when it may be asked next, and whether it asked us to hold off. Changed only by `publishing.polling.pace`."""

    host = models.CharField(max_length=300, primary_key=True)
    next_request_at = models.DateTimeField()
    held_until = models.DateTimeField(null=True)
    hold_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "host"

    def __str__(self) -> str:
        return self.host
