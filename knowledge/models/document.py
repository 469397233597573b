"""Documents: texts that people upload."""

from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone


class DocumentQuerySet(models.QuerySet["Document"]):
    """Questions about many documents."""

    def waiting(self) -> Self:
        """Those that somebody has uploaded and nobody has read yet."""
        return self.filter(state__in=["queued", "processing"])

    def uncited(self) -> Self:
        """Those that no kept answer cites."""
        return self.filter(citations=None)


class Document(models.Model):
    """An uploaded text. Its file is known by its hash: the same one is kept once.

    States::

        queued -> processing -> ready
        processing -> queued      something is away; it is tried again
        processing -> failed      its file could not be read; `problem` says why
        failed | ready -> queued  somebody asked to read it again
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        PROCESSING = "processing", "Processing"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    title = models.TextField()
    filename = models.CharField(max_length=300, blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    size = models.PositiveBigIntegerField(default=0, help_text="Of its file, in bytes.")
    text = models.TextField(blank=True)
    pages = models.JSONField(
        default=list, blank=True, help_text="Where in the text each page begins; empty without pages."
    )
    language = models.CharField(max_length=35, blank=True, help_text="An ISO 639 code such as en.")
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    category = models.CharField(max_length=100, blank=True)
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.READY)
    problem = models.TextField(blank=True, help_text="Why it could not be read.")
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    indexed_at = models.DateTimeField(null=True, blank=True)
    run_id = models.UUIDField(
        null=True, blank=True, editable=False, help_text="The run that reads it, or has read it last."
    )

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(problem=""), name="knowledge_document_says_why"
            ),
        ]

    def __str__(self) -> str:
        return self.title[:100]

    @property
    def is_waiting(self) -> bool:
        """Whether it is to be read, or just being read."""
        return self.state in (self.State.QUEUED, self.State.PROCESSING)


class DocumentFile(models.Model):
    """The file of a document as it was uploaded: whichever worker reads it finds it here."""

    document = models.OneToOneField(Document, on_delete=models.CASCADE, primary_key=True, related_name="file")
    content = models.BinaryField()

    def __str__(self) -> str:
        return f"File of {self.document_id}"
