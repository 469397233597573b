"""What each source says of a paper."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from knowledge.models.paper import Paper


class PaperRecord(models.Model):
    """What one source said of a paper the last time. The paper itself is made of these (`knowledge.merging`).

    Kept so that what a paper says depends on its sources alone, not on the order in which they were asked, and so that
    a source that takes something back is believed.
    """

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="records")
    source = models.CharField(max_length=40, help_text="The connector.")
    source_id = models.CharField(max_length=500, help_text="The source's own name for the paper.")
    content = models.JSONField(help_text="See knowledge.records.Record.")
    left_out = ArrayField(
        models.CharField(max_length=20),
        default=list,
        blank=True,
        help_text="Identifiers that are not believed, because they are another paper's.",
    )
    fetched_at = models.DateTimeField(
        default=timezone.now, help_text="When the source last said it, or was asked again."
    )

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["source", "source_id"], name="knowledge_record_once"),
        ]
        indexes = [
            # Which papers a source was not asked about for the longest time.
            models.Index(fields=["source", "fetched_at"], name="knowledge_record_fetched"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} at {self.source}"
