"""The word index: which part has which word how often. See docs/decisions/0011."""

from uuid import uuid4

from django.db import models
from django.utils import timezone


class SparseSegment(models.Model):
    """Parts that were indexed together. A segment is never changed; it is merged into a larger one, or deleted.

    It may name parts that are gone: whoever reads it asks the tables of papers in the same query.
    """

    # Never used twice, not even after a rollback or a restored backup: processes remember segments by it.
    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    size = models.PositiveIntegerField(help_text="How many parts it names.")
    total_length = models.PositiveBigIntegerField(help_text="Words of all its parts.")
    parts = models.BinaryField(help_text="Their ids: little-endian 64-bit integers, ascending.")
    lengths = models.BinaryField(help_text="Words of each part: little-endian 32-bit floats.")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.size} parts"


class SparsePosting(models.Model):
    """The parts of one segment that have a word."""

    segment = models.ForeignKey(SparseSegment, on_delete=models.CASCADE, related_name="postings")
    term = models.CharField(max_length=64)
    ordinals = models.BinaryField(
        help_text="Where in the segment: little-endian 32-bit unsigned integers, ascending."
    )
    counts = models.BinaryField(help_text="How often in each: one byte.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["term", "segment"], name="knowledge_posting_once"),
        ]

    def __str__(self) -> str:
        return self.term
