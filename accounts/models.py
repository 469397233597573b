"""What guards the door: attempts to sign in, counted across all processes."""

from django.db import models


class SignInCount(models.Model):
    """How many attempts one key (an address, a name, or both) made in its present window."""

    key = models.CharField(max_length=400, primary_key=True)
    attempts = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "count of sign-in attempts"
        verbose_name_plural = "counts of sign-in attempts"

    def __str__(self) -> str:
        return self.key
