"""The tables of knowledge."""

from knowledge.models.document import Document
from knowledge.models.embedding import Embedding, EmbeddingModel
from knowledge.models.pace import ServicePace
from knowledge.models.paper import Paper
from knowledge.models.passage import Part, Passage
from knowledge.models.sparse import SparsePosting, SparseSegment

__all__ = [
    "Document",
    "Embedding",
    "EmbeddingModel",
    "Paper",
    "Part",
    "Passage",
    "ServicePace",
    "SparsePosting",
    "SparseSegment",
]
