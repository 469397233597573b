"""What the search finds: parts of texts, and the passages they are cut into."""

from django.db import models
from django.db.models import Q

from knowledge.models.document import Document
from knowledge.models.paper import Paper


class Part(models.Model):
    """What the search ranks as one: a paper's abstract, or some pages of a document.

    Parts are replaced, never changed: an index that names one that is gone names nothing.
    """

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="parts", null=True, blank=True)
    document = models.ForeignKey(
        Document, on_delete=models.CASCADE, related_name="parts", null=True, blank=True
    )
    number = models.PositiveIntegerField(default=0)
    title = models.TextField(blank=True, help_text="Of the paper or document.")
    text = models.TextField()
    text_hash = models.CharField(max_length=64, help_text="Of title and text, and how they are cut.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(paper=None, document__isnull=False) | Q(paper__isnull=False, document=None),
                name="knowledge_part_of_one",
            ),
            models.UniqueConstraint(fields=["paper", "number"], name="knowledge_part_of_paper_once"),
            models.UniqueConstraint(fields=["document", "number"], name="knowledge_part_of_document_once"),
        ]

    def __str__(self) -> str:
        return f"{self.title[:80]} ({self.number})"


class Passage(models.Model):
    """Some sentences of a part: `part.text[start:end]`. Answers cite passages."""

    part = models.ForeignKey(Part, on_delete=models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    text = models.TextField()
    text_hash = models.CharField(max_length=64, help_text="Of what its vectors are made from.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["part", "position"], name="knowledge_passage_position_once"),
        ]

    def __str__(self) -> str:
        return self.text[:100]
