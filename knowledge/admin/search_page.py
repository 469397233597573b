"""The search page: one box, results with what speaks for and against each, and filters that the address keeps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from jobs.admin import navigation
from jobs.admin.base import require
from knowledge.admin import box, looks
from knowledge.admin.looks import Label, Piece
from knowledge.admin.search_form import PAGES, PER_PAGE, SearchForm
from knowledge.answers import InvalidQuestion
from knowledge.embedding import EmbeddingError
from knowledge.models import EmbeddingModel, Paper, Part
from knowledge.search import engine
from knowledge.search.engine import Hit, Mode, Scored

VIEW = "knowledge.view_paper"
URL_NAME = "knowledge-search"

navigation.add(
    navigation.Entry(
        group="Knowledge",
        title="Search and ask",
        icon="search",
        url_name=URL_NAME,
        permissions=(VIEW,),
        order=300,
    )
)


@dataclass(frozen=True)
class Shown:
    """A result as the page shows it."""

    number: int
    title: list[Piece]
    text: list[Piece]
    url: str
    #: Authors, journal and date of a paper; the pages of a document.
    facts: Sequence[str]
    labels: Sequence[Label]
    #: "0.71" and "12.4"; empty for what was not asked.
    similarity: str
    words: str


@dataclass
class Found:
    """What a search brought, and how it went."""

    results: list[Shown] = field(default_factory=list)
    #: How many there are on all pages together.
    total: int = 0
    seconds: float = 0.0
    #: Why it was searched in another way than was asked.
    problem: str = ""

    @property
    def milliseconds(self) -> str:
        return f"{self.seconds * 1000:,.0f} ms" if self.seconds < 1 else f"{self.seconds:.1f} s"

    @property
    def is_cut(self) -> bool:
        """There may be more than the pages show."""
        return self.total >= PER_PAGE * PAGES


class SearchPage:
    """Looks for what the address says."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.form = SearchForm(request.GET)

    def response(self) -> HttpResponse:
        if self.request.method != "POST":
            return self._render()
        self.form = SearchForm(self.request.POST)
        if "_ask" in self.request.POST:
            return self._ask()
        # The box sends everything; the address keeps only what says something.
        return HttpResponseRedirect(reverse(URL_NAME) + self.form.address(page=None))

    def _ask(self) -> HttpResponse:
        require(self.request, box.ASK, box.VIEW)
        try:
            question = box.ask(self.request)
        except InvalidQuestion as error:
            return self._render(refusal=" ".join(reason for said in error.fields.values() for reason in said))
        except EmbeddingError as error:
            return self._render(refusal=f"Questions cannot be answered now. {error}")
        return HttpResponseRedirect(reverse("admin:knowledge_question_change", args=[question.pk]))

    def _render(self, refusal: str = "") -> HttpResponse:
        form = self.form
        found = self._search() if form.query and not refusal else None
        page = form.value("page") or 1
        pages = -(-found.total // PER_PAGE) if found else 0
        context: dict[str, Any] = {
            **admin.site.each_context(self.request),
            **box.context(self.request, form),
            "title": "Search and ask",
            "refusal": refusal,
            "found": found,
            "left_out": form.left_out,
            "page": page,
            "pages": [(number, form.address(page=number)) for number in range(1, pages + 1)],
            "earlier": form.address(page=page - 1) if 1 < page <= pages else "",
            "later": form.address(page=page + 1) if page < pages else "",
            "without_filters": "?" + urlencode({"q": form.query}),
            "with_retracted": form.address(retracted="include", page=None),
            "with_both": form.address(mode=None, page=None),
            "papers": Paper.objects.count() if not (found and found.results) else None,
        }
        return TemplateResponse(self.request, "admin/knowledge/search.html", context)

    def _search(self) -> Found:
        began = perf_counter()
        query, mode, problem = self.form.query, self.form.wanted_mode, ""
        try:
            scored = self._rank(query, mode)
        except EmbeddingError as error:
            problem = f"Meanings cannot be compared now, so these were found by their words alone. {error}"
            mode = Mode.SPARSE
            scored = self._rank(query, mode)
        if (
            mode is not Mode.SPARSE
            and not EmbeddingModel.objects.filter(state=EmbeddingModel.State.LIVE).exists()
        ):
            problem = "There are no vectors yet: only words can be looked for."
        first = PER_PAGE * ((self.form.value("page") or 1) - 1)
        hits = engine.hits(query, scored[first : first + PER_PAGE])
        outdated = looks.outdated_before()
        results = [
            self._shown(first + number, hit, mode, outdated) for number, hit in enumerate(hits, start=1)
        ]
        return Found(results, len(scored), perf_counter() - began, problem)

    def _rank(self, query: str, mode: Mode) -> list[Scored]:
        scored = engine.rank(query, filters=self.form.filters, limit=PER_PAGE * PAGES, mode=mode)
        if self.request.user.has_perm("knowledge.view_document"):
            return scored
        papers = Part.objects.filter(pk__in=[one.part for one in scored], document=None)
        seen = set(papers.values_list("pk", flat=True))
        return [one for one in scored if one.part in seen]

    def _shown(self, number: int, hit: Hit, mode: Mode, outdated: int) -> Shown:
        query, part = self.form.query, hit.part
        has_meaning = mode is not Mode.SPARSE and bool(hit.scored.similarity)
        return Shown(
            number=number,
            title=looks.marked(part.title or "Without a title", query),
            text=looks.pieces(hit.passage.text, hit.highlights),
            url=address_of(part, hit.passage.pk, query),
            facts=_facts(part),
            labels=looks.labels(part.paper, outdated) if part.paper else [],
            similarity=f"{hit.scored.similarity:.2f}" if has_meaning else "",
            words=f"{hit.scored.words:.1f}" if mode is not Mode.DENSE else "",
        )


def _facts(part: Part) -> list[str]:
    if paper := part.paper:
        names = looks.in_short(looks.authors(paper))
        facts = [names, paper.journal, looks.published(paper), looks.source_names(paper.sources)]
    elif document := part.document:
        facts = ["Document", document.filename, str(document.year or ""), document.category]
    else:
        facts = []
    return [fact for fact in facts if fact]


def address_of(part: Part, passage: int | None, query: str = "") -> str:
    """Where a passage is read in its place; where its text begins without one."""
    given = {"q": query[:200]} if query else {}
    if part.paper_id:
        address = reverse("knowledge-paper", args=[part.paper_id])
    else:
        address = reverse("knowledge-document", args=[part.document_id])
        given["part"] = str(part.number + 1)
    anchor = f"#passage-{passage}" if passage is not None else ""
    return f"{address}{'?' + urlencode(given) if given else ''}{anchor}"


def view(request: HttpRequest) -> HttpResponse:
    require(request, VIEW)
    return SearchPage(request).response()


def urls(site: Any) -> list[URLPattern]:
    return [path("knowledge/search/", site.admin_view(view), name=URL_NAME)]
