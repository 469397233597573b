"""Papers: what is known of each publication, and from where."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.records import Precision

#: What names a paper for ever, in the order in which they are trusted.
IDENTIFIERS = ("doi", "pmid", "pmcid", "arxiv_id")
BETWEEN_SECTIONS = "\n\n"


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
    version = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Of the text, as arXiv counts it; empty where there are no versions."
    )
    title = models.TextField()
    original_title = models.TextField(blank=True, help_text="In the paper's own language.")
    authors = models.JSONField(default=list, blank=True, help_text="In order; see knowledge.records.Author.")
    journal = models.CharField(max_length=1000, blank=True)
    published_on = models.DateField(null=True, blank=True, help_text="The first day that may be meant.")
    published_precision = models.CharField(
        max_length=5, choices=[(known.value, known.value) for known in Precision], blank=True
    )
    published_text = models.CharField(max_length=100, blank=True, help_text="The date as it is printed.")
    year = models.PositiveSmallIntegerField(null=True, blank=True)
    entered_on = models.DateField(null=True, blank=True, help_text="When its source first had it.")
    revised_on = models.DateField(null=True, blank=True, help_text="When its source last changed it.")
    abstract = models.JSONField(
        default=list, blank=True, help_text="In order; see knowledge.records.Section."
    )
    mesh = models.JSONField(
        "MeSH terms", default=list, blank=True, help_text="See knowledge.records.MeshTerm."
    )
    keywords = ArrayField(models.TextField(), default=list, blank=True)
    types = ArrayField(models.TextField(), default=list, blank=True, help_text="Kinds of publication.")
    categories = ArrayField(models.TextField(), default=list, blank=True)
    languages = ArrayField(
        models.CharField(max_length=35), default=list, blank=True, help_text="ISO 639 codes."
    )
    url = models.CharField("address", max_length=2000, blank=True)
    pdf_url = models.CharField("address of the PDF", max_length=2000, blank=True)
    details = models.JSONField(
        default=dict, blank=True, help_text="What else its record says: volume, pages, ISSN, comment ..."
    )
    notices = models.JSONField(
        default=list,
        blank=True,
        help_text="What retracts, corrects or comments on it; see knowledge.records.Notice.",
    )
    is_retracted = models.BooleanField("retracted", default=False)
    is_corrected = models.BooleanField("corrected", default=False)
    is_doubted = models.BooleanField(
        "doubted", default=False, help_text="Its journal has published an expression of concern."
    )
    is_notice = models.BooleanField(
        "notice", default=False, help_text="It only says something about another paper."
    )
    sources = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="The connectors that gave it."
    )
    provenance = models.JSONField(
        default=dict, blank=True, help_text="For each field the connector that it came from."
    )
    title_key = models.CharField(
        max_length=64,
        blank=True,
        help_text="Hash of title, year and first author: how papers without a common identifier are known.",
    )
    first_seen_at = models.DateTimeField(default=timezone.now)
    fetched_at = models.DateTimeField(default=timezone.now, help_text="When a connector last gave it.")

    objects = PaperQuerySet.as_manager()

    class Meta:
        constraints = [
            *(_unique(name) for name in IDENTIFIERS),
        ]
        indexes = [
            # Filters of the search.
            models.Index(fields=["year"], name="knowledge_paper_year"),
            models.Index(fields=["title_key"], name="knowledge_paper_title_key"),
            GinIndex(fields=["sources"], name="knowledge_paper_sources"),
            GinIndex(fields=["types"], name="knowledge_paper_types"),
        ]

    def __str__(self) -> str:
        return self.title[:100]

    @property
    def abstract_text(self) -> str:
        """The sections as one text, each after its label."""
        return BETWEEN_SECTIONS.join(text for _, text in self.sections)

    @property
    def sections(self) -> list[tuple[str, str]]:
        """The label of each section, and its text as it stands in `abstract_text`."""
        return [
            (section.get("label", "").strip(), _section_text(section))
            for section in self.abstract
            if section.get("text")
        ]


def _section_text(section: dict[str, str]) -> str:
    label, text = section.get("label", "").strip(), section["text"].strip()
    return f"{label}: {text}" if label else text
