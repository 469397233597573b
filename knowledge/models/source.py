"""Sources: the services and feeds that papers come from, as they are set up here."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from knowledge import connectors


class PaperSourceQuerySet(models.QuerySet["Source"]):
    """Questions about many sources."""

    def enabled(self) -> Self:
        """Those that are asked by themselves."""
        return self.filter(is_enabled=True)


class Source(models.Model):
    """One place to ask, by the connector that speaks its language: PubMed, arXiv, the guideline feeds of the WHO ..."""

    name = models.CharField(max_length=100, unique=True)
    connector = models.CharField(max_length=40, help_text="What speaks its language.")
    addresses = ArrayField(
        models.CharField(max_length=2000),
        default=list,
        blank=True,
        help_text="What feeds it reads; empty for services with an address of their own.",
    )
    is_enabled = models.BooleanField("enabled", default=True, help_text="Otherwise nothing is asked of it.")
    revised_until = models.DateField(
        null=True,
        blank=True,
        editable=False,
        help_text="Revisions and retractions have been looked for up to this day.",
    )
    synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.TextField(
        blank=True, editable=False, help_text="Why it could not be asked the last time; empty: it could."
    )

    objects = PaperSourceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        permissions = [("sync_source", "Can look for news of known papers now")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        known = connectors.kinds()
        if self.connector not in known:
            raise ValidationError(
                {"connector": f"There is no connector named “{self.connector}”; known: {', '.join(known)}."}
            )
