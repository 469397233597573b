"""Questions, and the answers that were given with what they cite. A kept answer is never rewritten."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.models.document import Document
from knowledge.models.paper import Paper
from knowledge.models.passage import Passage


class Question(models.Model):
    """What somebody asked. Questions of one session follow each other."""

    text = models.TextField(max_length=1000)
    filters = models.JSONField(default=dict, blank=True, help_text="What the search was restricted to.")
    session = models.UUIDField(default=uuid.uuid4, db_index=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["-asked_at", "-pk"]
        permissions = [
            ("ask_question", "Can ask questions"),
            ("view_all_questions", "Can see the questions of everybody"),
        ]

    def __str__(self) -> str:
        return self.text[:100]


class Answer(models.Model):
    """What a writer answered, or why it did not.

    `sentences` are in order, each `{"text", "numbers", "support"}`: the numbers of its citations, and how far these
    support it from 0 to 1. A refusal has none, and `reason` says what was missing.
    """

    class State(models.TextChoices):
        ANSWERED = "answered", "Answered"
        REFUSED = "refused", "Refused"

    question = models.OneToOneField(Question, on_delete=models.CASCADE, related_name="answer")
    state = models.CharField(max_length=8, choices=State)
    reason = models.TextField(blank=True, help_text="Why there is no answer.")
    writer = models.CharField(max_length=30, help_text="What put the words together.")
    sentences = models.JSONField(default=list, blank=True)
    rejected = models.JSONField(
        default=list, blank=True, help_text="Sentences that the check did not let through, and why."
    )
    perspectives = models.JSONField(
        default=list,
        blank=True,
        help_text="What each expert said, and the synthesis; with citations as above.",
    )
    retrieved = models.JSONField(
        default=list, blank=True, help_text="Passages that were found, with their scores."
    )
    details = models.JSONField(
        default=dict, blank=True, help_text="Threshold, model, seconds, tokens and cost."
    )
    run_id = models.UUIDField(null=True, blank=True, help_text="The run that wrote it, if one did.")
    answered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="answered") | ~Q(reason=""), name="knowledge_refusal_says_why"
            ),
        ]

    def __str__(self) -> str:
        return f"Answer to {self.question_id}"


class Citation(models.Model):
    """What an answer stands on: words of a paper or a document, as they were when it was written.

    The paper or document cannot be deleted while the answer is kept. Its passages may be cut anew: then `passage` is
    empty, and the quote still says what was read.
    """

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="citations")
    number = models.PositiveSmallIntegerField()
    passage = models.ForeignKey(
        Passage, on_delete=models.SET_NULL, null=True, blank=True, related_name="citations"
    )
    paper = models.ForeignKey(
        Paper, on_delete=models.PROTECT, null=True, blank=True, related_name="citations"
    )
    document = models.ForeignKey(
        Document, on_delete=models.PROTECT, null=True, blank=True, related_name="citations"
    )
    title = models.TextField()
    quote = models.TextField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["answer", "number"], name="knowledge_citation_number_once"),
            models.CheckConstraint(
                condition=Q(paper=None, document__isnull=False) | Q(paper__isnull=False, document=None),
                name="knowledge_citation_of_one",
            ),
        ]

    def __str__(self) -> str:
        return f"[{self.number}] {self.title[:80]}"


class Feedback(models.Model):
    """What a reader thought of an answer; one word of each."""

    answer = models.ForeignKey(Answer, on_delete=models.CASCADE, related_name="feedback")
    is_helpful = models.BooleanField("helpful")
    comment = models.TextField(blank=True, max_length=2000)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    given_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "feedback"
        constraints = [
            models.UniqueConstraint(fields=["answer", "given_by"], name="knowledge_feedback_once"),
        ]

    def __str__(self) -> str:
        return "Helpful" if self.is_helpful else "Not helpful"
