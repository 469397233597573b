"""Documents: texts that people upload."""

from django.db import models
from django.utils import timezone


class Document(models.Model):
    """An uploaded text. Its file is known by its hash: the same one is kept once."""

    title = models.TextField()
    filename = models.CharField(max_length=300, blank=True)
    media_type = models.CharField(max_length=100, blank=True)
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    text = models.TextField()
    language = models.CharField(max_length=35, blank=True, help_text="An ISO 639 code such as en.")
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.title[:100]
