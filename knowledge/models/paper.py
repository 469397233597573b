"""Papers: what is known of each publication, and from where."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

#: What names a paper for ever, in the order in which they are trusted.
IDENTIFIERS = ("doi", "pmid", "pmcid", "arxiv_id")


class PaperQuerySet(models.QuerySet["Paper"]):
    """Questions about many papers."""

    def standing(self) -> Self:
        """Papers that nobody has retracted."""
        return self.filter(is_retracted=False)


def _unique(name: str) -> models.UniqueConstraint:
    return models.UniqueConstraint(
        fields=[name], condition=~Q(**{name: ""}), name=f"knowledge_paper_{name}_once"
    )


class Paper(models.Model):
    """A publication. Identifiers are kept as they compare: DOIs in lower case and without an address, the arXiv id without version."""

    doi = models.CharField("DOI", max_length=300, blank=True)
    pmid = models.CharField("PMID", max_length=16, blank=True)
    pmcid = models.CharField("PMCID", max_length=20, blank=True)
    arxiv_id = models.CharField("arXiv id", max_length=40, blank=True)
    arxiv_version = models.PositiveSmallIntegerField("arXiv version", null=True, blank=True)
    title = models.TextField()
    authors = models.JSONField(
        default=list, blank=True, help_text="In order, each {family, given, initials} or {collective}."
    )
    journal = models.CharField(max_length=500, blank=True)
    published_on = models.DateField(
        null=True, blank=True, help_text="The first day of what is known of the date."
    )
    published_text = models.CharField(max_length=100, blank=True, help_text="The date as it is printed.")
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    abstract = models.JSONField(default=list, blank=True, help_text="Sections in order, each {label, text}.")
    mesh_terms = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    keywords = ArrayField(models.CharField(max_length=300), default=list, blank=True)
    types = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    language = models.CharField(max_length=35, blank=True, help_text="A BCP 47 tag such as en.")
    url = models.CharField("address", max_length=2000, blank=True)
    sources = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="The connectors that gave it."
    )
    is_retracted = models.BooleanField("retracted", default=False)
    is_corrected = models.BooleanField("corrected", default=False)
    provenance = models.JSONField(
        default=dict, blank=True, help_text="For each field the connector that it came from, and when."
    )
    first_seen_at = models.DateTimeField(default=timezone.now)
    fetched_at = models.DateTimeField(default=timezone.now, help_text="When a connector last gave it.")

    objects = PaperQuerySet.as_manager()

    class Meta:
        constraints = [
            *(_unique(name) for name in IDENTIFIERS),
            models.CheckConstraint(
                condition=Q(arxiv_version=None) | ~Q(arxiv_id=""), name="knowledge_paper_version_of_something"
            ),
        ]
        indexes = [
            # Filters of the search.
            models.Index(fields=["year"], name="knowledge_paper_year"),
            GinIndex(fields=["sources"], name="knowledge_paper_sources"),
            GinIndex(fields=["types"], name="knowledge_paper_types"),
        ]

    def __str__(self) -> str:
        return self.title[:100]

    @property
    def abstract_text(self) -> str:
        """The sections as one text, each after its label."""
        return "\n\n".join(_section_text(section) for section in self.abstract if section.get("text"))


def _section_text(section: dict[str, str]) -> str:
    label, text = section.get("label", "").strip(), section["text"].strip()
    return f"{label}: {text}" if label else text
