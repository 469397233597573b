"""The page of a paper: its abstract by passages, what changed its worth, where each word of its record comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from jobs.admin.base import require
from jobs.storable import clean_text
from knowledge import spaces
from knowledge.admin import looks, reading, rows
from knowledge.embedding.base import normalised
from knowledge.models import Embedding, Finding, Outcome, Paper, Part
from knowledge.records import Relation
from knowledge.search import dense
from knowledge.search.filters import Filters, Retracted

VIEW = "knowledge.view_paper"
URL_NAME = "knowledge-paper"
#: Authors that are shown before the list is folded; outcomes and similar papers that are shown at all.
AUTHORS, OUTCOMES, SIMILAR = 8, 20, 6
#: What a notice says, and whether it takes from the worth of the paper.
_NOTICES = {
    Relation.RETRACTED_IN: ("Retracted in", "bad"),
    Relation.PARTLY_RETRACTED_IN: ("Partly retracted in", "bad"),
    Relation.CONCERN_IN: ("Expression of concern in", "bad"),
    Relation.CORRECTED_IN: ("Corrected in", "warn"),
    Relation.REPUBLISHED_IN: ("Corrected and republished in", "warn"),
    Relation.UPDATED_IN: ("Updated in", "warn"),
    Relation.COMMENTED_IN: ("Commented on in", "calm"),
    Relation.RETRACTS: ("Retracts", "calm"),
    Relation.PARTLY_RETRACTS: ("Retracts parts of", "calm"),
    Relation.CORRECTS: ("Corrects", "calm"),
    Relation.REPUBLISHES: ("Republishes", "calm"),
    Relation.CONCERN_ABOUT: ("Expresses concern about", "calm"),
    Relation.UPDATES: ("Updates", "calm"),
    Relation.COMMENTS: ("Comments on", "calm"),
}
_TONES = ("bad", "warn", "calm")
_RESULTS = {
    Outcome.Result.NEW: ("add_circle", "good"),
    Outcome.Result.UPDATED: ("update", "busy"),
    Outcome.Result.KNOWN: ("check", "calm"),
    Outcome.Result.SKIPPED: ("skip_next", "calm"),
    Outcome.Result.FAILED: ("error", "bad"),
}


@dataclass(frozen=True)
class ShownNotice:
    """What another publication says about this one."""

    words: str
    tone: str
    reference: str
    url: str


@dataclass(frozen=True)
class ShownTerm:
    """A heading of MeSH."""

    name: str
    is_major: bool
    qualifiers: str


@dataclass(frozen=True)
class ShownOutcome:
    """What became of it in one update."""

    outcome: Outcome
    icon: str
    tone: str
    #: Empty for who may not see the run.
    run: UUID | None


class PaperPage:
    """Everything that is known of one paper."""

    def __init__(self, request: HttpRequest, paper: Paper) -> None:
        self.request = request
        self.paper = paper
        self.query = clean_text(request.GET.get("q", "")[:200]).strip()

    def response(self) -> HttpResponse:
        paper, outdated = self.paper, looks.outdated_before()
        people = looks.authors(paper)
        part = paper.parts.order_by("number").first()
        sections = [section for section in paper.abstract if isinstance(section, Mapping)]
        details = paper.details if isinstance(paper.details, Mapping) else {}
        context: dict[str, Any] = {
            **admin.site.each_context(self.request),
            "title": "Paper",
            "paper": paper,
            "query": self.query,
            "heading": looks.marked(paper.title or "Without a title", self.query),
            "labels": looks.labels(paper, outdated),
            "authors": people[:AUTHORS],
            "more_authors": people[AUTHORS:],
            "published": looks.published(paper),
            "where": _where(paper, details),
            "notices": notices(paper),
            "has_abstract": bool(paper.abstract_text),
            "blocks": self._blocks(part, sections),
            "links": looks.links(paper),
            "mesh": _mesh(paper),
            "comment": str(details.get("comment") or ""),
            "provenance": _provenance(paper),
            "sources": looks.source_names(paper.sources),
            "findings": self._findings(),
            "outcomes": self._outcomes(),
            "cited": paper.citations.values("answer").distinct().count(),
            "similar": self._similar(part, outdated),
            "reference": looks.reference(paper),
            "bibtex": looks.bibtex(paper),
        }
        return TemplateResponse(self.request, "admin/knowledge/paper.html", context)

    def _blocks(self, part: Part | None, sections: Sequence[Mapping[str, Any]]) -> list[reading.Block]:
        if part is None or not self.paper.abstract_text:
            return []
        return reading.blocks(part, (str(section.get("label") or "") for section in sections), self.query)

    def _findings(self) -> list[tuple[Finding, str]]:
        """The topics and research jobs that found it, each with the address of its page."""
        found = self.paper.findings.select_related("topic", "research_job").order_by("found_at", "pk")
        return [
            (finding, rows.page_of(self.request, owner))
            for finding in found
            if (owner := finding.topic or finding.research_job)
        ]

    def _outcomes(self) -> list[ShownOutcome] | None:
        """The newest first; None for who may not see them."""
        if not self.request.user.has_perm("knowledge.view_outcome"):
            return None
        found = self.paper.outcomes.select_related(
            "harvest__source", "harvest__topic", "harvest__research_job"
        ).order_by("-pk")[:OUTCOMES]
        outcomes = list(found)
        runs = rows.visible_runs(self.request, (one.harvest.run_id for one in outcomes))
        return [
            ShownOutcome(
                one,
                *_RESULTS[Outcome.Result(one.result)],
                run=one.harvest.run_id if one.harvest.run_id in runs else None,
            )
            for one in outcomes
        ]

    def _similar(self, part: Part | None, outdated: int) -> list[tuple[Paper, str, list[looks.Label]]] | None:
        """Papers whose passages mean about the same, with the cosine; None while it has no vectors."""
        model = spaces.live()
        if model is None or part is None:
            return None
        own = Embedding.objects.filter(model=model, passage__part=part)
        vectors = np.array(list(own.values_list("vector", flat=True)), dtype=np.float32)
        if not len(vectors):
            return None
        middle = normalised(vectors.mean(axis=0, keepdims=True))[0]
        near: dict[int, float] = {}
        standing = Filters(retracted=Retracted.EXCLUDE)
        for one in dense.nearest(middle, model, standing, limit=SIMILAR * 8 + len(vectors)):
            if one.part != part.pk and one.similarity is not None:
                near.setdefault(one.part, one.similarity)
        parts = Part.objects.filter(pk__in=near, document=None).select_related("paper").defer("text")
        found = sorted(parts, key=lambda other: -near[other.pk])[:SIMILAR]
        return [
            (other.paper, f"{near[other.pk]:.2f}", looks.labels(other.paper, outdated))
            for other in found
            if other.paper
        ]


def notices(paper: Paper) -> list[ShownNotice]:
    """What other publications say about it, the gravest first."""
    found = []
    for notice in paper.notices:
        if not isinstance(notice, Mapping) or notice.get("relation") not in set(Relation):
            continue
        words, tone = _NOTICES[Relation(notice["relation"])]
        named = Paper(doi=str(notice.get("doi") or ""), pmid=str(notice.get("pmid") or ""))
        links = looks.links(named)
        text = str(notice.get("reference") or "") or ", ".join(f"{link.name} {link.text}" for link in links)
        found.append(ShownNotice(words, tone, text, links[0].url if links else ""))
    return sorted(found, key=lambda notice: _TONES.index(notice.tone))


def _where(paper: Paper, details: Mapping[str, Any]) -> str:
    """The journal with volume, issue and pages: "Lancet 12(3):45-50"."""
    volume, issue, pages = (str(details.get(name) or "") for name in ("volume", "issue", "pages"))
    place = f"{volume}{f'({issue})' if issue else ''}{f':{pages}' if pages else ''}"
    return " ".join(part for part in (paper.journal, place) if part)


def _mesh(paper: Paper) -> list[ShownTerm]:
    """The main headings first."""
    found = [
        ShownTerm(
            str(term.get("name") or ""),
            bool(term.get("is_major")),
            ", ".join(str(one.get("name") or "") for one in term.get("qualifiers") or ()),
        )
        for term in paper.mesh
        if isinstance(term, Mapping) and term.get("name")
    ]
    return sorted(found, key=lambda term: not term.is_major)


def _provenance(paper: Paper) -> list[tuple[str, str]]:
    """Each field with who said it."""
    said = paper.provenance if isinstance(paper.provenance, Mapping) else {}
    return sorted(
        (name.replace("_", " "), looks.source_name(str(kind))) for name, kind in said.items() if kind
    )


def address(paper_id: int) -> str:
    """Where the paper is read."""
    return reverse(URL_NAME, args=[paper_id])


def view(request: HttpRequest, pk: int) -> HttpResponse:
    require(request, VIEW)
    return PaperPage(request, get_object_or_404(Paper, pk=pk)).response()


def urls(site: Any) -> list[URLPattern]:
    return [path("knowledge/paper/<int:pk>/read/", site.admin_view(view), name=URL_NAME)]
