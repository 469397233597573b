"""The tables of knowledge."""

from knowledge.models.configured import ConfiguredEntry
from knowledge.models.document import Document, DocumentFile
from knowledge.models.embedding import Embedding, EmbeddingModel
from knowledge.models.evaluation import Evaluation, JudgedQuery, Judgement
from knowledge.models.harvest import Finding, Harvest, Outcome
from knowledge.models.pace import ServicePace
from knowledge.models.paper import Paper
from knowledge.models.passage import Part, Passage
from knowledge.models.policy import KnowledgePolicy
from knowledge.models.question import Answer, Citation, Feedback, Question
from knowledge.models.research import ResearchJob
from knowledge.models.said import PaperRecord
from knowledge.models.source import Source
from knowledge.models.sparse import SparsePosting, SparseSegment
from knowledge.models.topic import Topic, TopicQuery

__all__ = [
    "Answer",
    "Citation",
    "ConfiguredEntry",
    "Document",
    "DocumentFile",
    "Embedding",
    "EmbeddingModel",
    "Evaluation",
    "Feedback",
    "Finding",
    "Harvest",
    "JudgedQuery",
    "Judgement",
    "KnowledgePolicy",
    "Outcome",
    "Paper",
    "PaperRecord",
    "Part",
    "Passage",
    "Question",
    "ResearchJob",
    "ServicePace",
    "Source",
    "SparsePosting",
    "SparseSegment",
    "Topic",
    "TopicQuery",
]
