"""Traces that jobs of tests leave, outside the ledger."""

from django.db import models
from django.db.models.functions import Now


class Mark(models.Model):
    """Somebody executed something."""

    run_id = models.CharField(max_length=36)
    attempt = models.IntegerField()
    what = models.CharField(max_length=20)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "testing_mark"

    def __str__(self) -> str:
        return f"{self.what} {self.run_id}"
