"""Vectors of passages, by the model that made them."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from pgvector.django import HalfVectorField

from knowledge.models.passage import Passage


class EmbeddingModel(models.Model):
    """A model that has made vectors, or is about to.

    States::

        building -> live        its vectors are complete: the search asks it from now on
        live -> retired         another one went live; its vectors stay until somebody drops them
        retired -> live         back again

    Each has an index of its own (`knowledge.embedding.spaces`), so that the live one works while the next is built.
    """

    class State(models.TextChoices):
        BUILDING = "building", "Building"
        LIVE = "live", "Live"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=200, unique=True, help_text="The embedder's kind and its model.")
    dimension = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.BUILDING)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="live"), name="knowledge_one_live_model"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Embedding(models.Model):
    """The vector of a passage in the space of a model, with the hash of the text it was made from."""

    model = models.ForeignKey(EmbeddingModel, on_delete=models.CASCADE, related_name="embeddings")
    passage = models.ForeignKey(Passage, on_delete=models.CASCADE, related_name="embeddings")
    text_hash = models.CharField(max_length=64)
    # Without dimensions: models differ. Each model's index and queries cast to its own.
    vector = HalfVectorField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["passage", "model"], name="knowledge_embedding_once"),
        ]

    def __str__(self) -> str:
        return f"{self.passage_id} by {self.model_id}"
