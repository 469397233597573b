"""`medical/knowledge/search/`: what papers and documents say on something, and trying out how well that works."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.answers import conflict, person
from jobs.api.parsing import StrictSerializer, read_body
from jobs.api.permissions import Needed
from jobs.models import JobRun
from knowledge import answers, evaluation, places
from knowledge.api.answer_output import AnswerOutputSerializer, output
from knowledge.api.search_input import (
    LONGEST_QUERY,
    WAYS,
    SearchInputSerializer,
    SearchQuerySerializer,
    filters_of,
    from_query,
)
from knowledge.evaluation import MOST_RESULTS, Trial
from knowledge.models import Document, Paper
from knowledge.places import Place
from knowledge.search import wishes
from knowledge.search.engine import Hit, Mode, search
from knowledge.search.wishes import Way
from knowledge.standing import (
    DISCLAIMER,
    citation_name,
    is_outdated,
    names_of_authors,
    oldest_current_year,
    printed_date,
)

#: Queries that are tried out at once.
MOST_TRIALS = 50
#: What an answer needs beside what the search does.
ASK = ("knowledge.view_question", "knowledge.ask_question")
_NO_VECTORS = conflict("The index has no vectors of that kind, or nobody here can make one of the query.")


class CitationSerializer(serializers.Serializer[Any]):
    document_id = serializers.CharField(
        help_text="What names it for ever: pubmed_123, doi_…, arxiv_… or document_7."
    )
    filename = serializers.CharField(help_text="Of an uploaded document; empty for papers.")
    page = serializers.IntegerField(allow_null=True, help_text="From 1; null for texts without pages.")
    chunk_index = serializers.IntegerField(help_text="Which passage of the whole text, from 0.")
    section = serializers.CharField(help_text="Of the abstract, such as RESULTS; empty without sections.")
    category = serializers.CharField(help_text="The main one; empty without any.")
    year = serializers.IntegerField(allow_null=True)


class HighlightSerializer(serializers.Serializer[Any]):
    start = serializers.IntegerField()
    end = serializers.IntegerField(help_text="Of the character behind the last one.")


class SearchResultSerializer(serializers.Serializer[Any]):
    rank = serializers.IntegerField()
    score = serializers.FloatField(
        help_text="What results are ordered by. Says nothing beyond this answer: see `similarity`."
    )
    similarity = serializers.FloatField(
        help_text="The cosine of query and passage; 0: no vectors were asked."
    )
    word_score = serializers.FloatField(help_text="BM25; 0: none of the words of the query stands in it.")
    title = serializers.CharField()
    text = serializers.CharField(help_text="The passage that answers best.")
    highlights = HighlightSerializer(many=True, help_text="Where the text has words of the query.")
    citation = CitationSerializer()
    paper = serializers.IntegerField(allow_null=True, help_text="Its id; null for a document.")
    document = serializers.IntegerField(allow_null=True, help_text="Its id; null for a paper.")
    authors = serializers.ListField(child=serializers.CharField())
    published = serializers.CharField(help_text="As far as it is known.")
    sources = serializers.ListField(child=serializers.CharField(), help_text="The connectors that gave it.")
    url = serializers.CharField()
    is_retracted = serializers.BooleanField()
    is_corrected = serializers.BooleanField()
    is_doubted = serializers.BooleanField()
    is_outdated = serializers.BooleanField(help_text="It is older than the policy wants papers to be.")


class SearchAnswerSerializer(serializers.Serializer[Any]):
    query = serializers.CharField()
    search_mode = serializers.ChoiceField(choices=wishes.MODES, help_text="As it was asked for.")
    searched_by = serializers.ChoiceField(
        choices=WAYS, help_text="What that came to: without vectors, words."
    )
    model = serializers.CharField(help_text="Whose vectors were asked; empty: none were.")
    alpha = serializers.FloatField(allow_null=True, help_text="The share of meaning; null unless by both.")
    count = serializers.IntegerField()
    results = SearchResultSerializer(many=True, help_text="The best first.")
    answer = AnswerOutputSerializer(allow_null=True, help_text="null: none was asked for.")
    disclaimer = serializers.CharField()


class SearchView(APIView):
    permission_of: ClassVar[Needed] = {
        "get": ("knowledge.view_paper", "knowledge.view_document"),
        "post": ("knowledge.view_paper", "knowledge.view_document"),
    }

    @extend_schema(
        operation_id="knowledge_search_by_query",
        parameters=[SearchQuerySerializer],
        responses={200: SearchAnswerSerializer, 409: _NO_VECTORS},
    )
    def get(self, request: Request) -> Response:
        """Search papers and documents. Retracted papers are found only when they are asked for."""
        wanted = from_query(request.query_params)
        return Response(found(wanted, wanted))

    @extend_schema(
        operation_id="knowledge_search",
        request=SearchInputSerializer,
        responses={200: SearchAnswerSerializer, 409: _NO_VECTORS},
    )
    def post(self, request: Request) -> Response:
        """The same, with the wishes in the body; with `synthesize_answer` also an answer that cites what it stands on."""
        wanted = read_body(SearchInputSerializer, request)
        filters = wanted.get("filters", {})
        if wanted["synthesize_answer"] and not person(request).has_perms(ASK):
            self.permission_denied(request, f"An answer needs the permissions {' and '.join(ASK)}.")
        told = found(wanted, filters)
        if wanted["synthesize_answer"]:
            told["answer"] = _answer(wanted["query"], filters, request)
        return Response(told)


def found(wanted: Mapping[str, Any], filters: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a validated search."""
    way = wishes.way(wanted["search_mode"])
    hits = search(
        wanted["query"],
        filters=filters_of(filters),
        limit=wanted["top_k"],
        mode=way.mode,
        share=wanted["alpha"],
    )
    hits = [hit for hit in hits if hit.scored.similarity >= wanted["min_score"]]
    is_by_both = way.mode is Mode.HYBRID and way.model
    answer = {
        "query": wanted["query"],
        "search_mode": wanted["search_mode"],
        "searched_by": _done(way).value,
        "model": way.model,
        "alpha": wanted["alpha"] if is_by_both else None,
        "count": len(hits),
        "results": _results(hits),
        "answer": None,
        "disclaimer": DISCLAIMER,
    }
    return dict(SearchAnswerSerializer(answer).data)


def _answer(query: str, filters: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """What is said in answer to the query, or why nothing is. It is kept, as every question is."""
    try:
        question = answers.ask(
            query, filters=filters_of(filters), by=person(request), trigger=JobRun.Trigger.API
        )
    except answers.InvalidQuestion as error:
        raise serializers.ValidationError({"query": error.fields.get("text", [str(error)])}) from error
    return dict(AnswerOutputSerializer(output(question, request)).data)


def _done(way: Way) -> Mode:
    return way.mode if way.model or way.mode is not Mode.HYBRID else Mode.SPARSE


def _results(hits: list[Hit]) -> list[dict[str, Any]]:
    for hit in hits:
        hit.passage.part = hit.part  # loaded with its paper or document already
    placed = places.places(hit.passage for hit in hits)
    oldest = oldest_current_year()
    return [
        {
            "rank": rank,
            "score": hit.scored.score,
            "similarity": hit.scored.similarity,
            "word_score": hit.scored.words,
            "title": hit.part.title,
            "text": hit.passage.text,
            "highlights": [{"start": span.start, "end": span.end} for span in hit.highlights],
            **_whose(hit, placed[hit.passage.pk], oldest),
        }
        for rank, hit in enumerate(hits, start=1)
        if hit.passage.pk in placed
    ]


def _whose(hit: Hit, place: Place, oldest: int) -> dict[str, Any]:
    where = {"page": place.page, "chunk_index": place.number, "section": place.section}
    if hit.part.paper is not None:
        return _of_paper(hit.part.paper, where, oldest)
    assert hit.part.document is not None, "a part belongs to a paper or a document"  # noqa: S101 - a constraint
    return _of_document(hit.part.document, where, oldest)


def _of_paper(paper: Paper, where: dict[str, Any], oldest: int) -> dict[str, Any]:
    category = paper.categories[0] if paper.categories else ""
    return {
        "citation": {
            "document_id": citation_name(paper), "filename": "", "category": category, "year": paper.year, **where,
        },
        "paper": paper.pk,
        "document": None,
        "authors": names_of_authors(paper),
        "published": printed_date(paper),
        "sources": paper.sources,
        "url": paper.url,
        "is_retracted": paper.is_retracted,
        "is_corrected": paper.is_corrected,
        "is_doubted": paper.is_doubted,
        "is_outdated": is_outdated(paper.year, oldest),
    }  # fmt: skip


def _of_document(document: Document, where: dict[str, Any], oldest: int) -> dict[str, Any]:
    return {
        "citation": {
            "document_id": f"document_{document.pk}", "filename": document.filename, "category": document.category,
            "year": document.year, **where,
        },
        "paper": None,
        "document": document.pk,
        "authors": [],
        "published": str(document.year or ""),
        "sources": [],
        "url": "",
        "is_retracted": False,
        "is_corrected": False,
        "is_doubted": False,
        "is_outdated": is_outdated(document.year, oldest),
    }  # fmt: skip


class TrialSerializer(StrictSerializer):
    query = serializers.CharField(max_length=LONGEST_QUERY)
    expected_terms = serializers.ListField(
        child=serializers.CharField(max_length=200),
        max_length=50,
        default=list,
        help_text="At least one of them should stand in what is found, in any of its forms.",
    )
    top_k = serializers.IntegerField(min_value=1, max_value=MOST_RESULTS, default=5)


class TrialsSerializer(StrictSerializer):
    runs = serializers.ListField(child=TrialSerializer(), min_length=1, max_length=MOST_TRIALS)
    search_mode = serializers.ChoiceField(choices=wishes.MODES, default=Mode.HYBRID.value)


class TrialResultSerializer(serializers.Serializer[evaluation.Found]):
    rank = serializers.IntegerField()
    title = serializers.CharField()
    paper = serializers.IntegerField(allow_null=True)
    document = serializers.IntegerField(allow_null=True)
    term = serializers.CharField(help_text="The expected term that stands in it; empty: none.")


class TrialFiguresSerializer(serializers.Serializer[evaluation.QueryFigures]):
    query = serializers.CharField(source="text")
    hit = serializers.BooleanField(source="is_hit", allow_null=True, help_text="null: no term was expected.")
    first_hit = serializers.IntegerField(allow_null=True, help_text="The rank of the first hit.")
    results = TrialResultSerializer(source="found", many=True)


class TrialsAnswerSerializer(serializers.Serializer[Any]):
    hit_rate = serializers.FloatField(
        allow_null=True, help_text="The share of the runs with expected terms that hit; null without such."
    )
    searched_by = serializers.ChoiceField(choices=WAYS)
    model = serializers.CharField(help_text="Whose vectors were asked; empty: none were.")
    runs = TrialFiguresSerializer(many=True)


class TryOutView(APIView):
    permission_of: ClassVar[Needed] = {
        "post": ("knowledge.view_paper", "knowledge.view_document", "knowledge.run_evaluation")
    }

    @extend_schema(
        operation_id="knowledge_search_evaluate",
        request=TrialsSerializer,
        responses={200: TrialsAnswerSerializer, 409: _NO_VECTORS},
    )
    def post(self, request: Request) -> Response:
        """How often the search finds what is expected, on queries of the moment. Nothing is kept: see `evaluation/`."""
        wanted = read_body(TrialsSerializer, request)
        way = wishes.way(wanted["search_mode"])
        figures = evaluation.try_out([Trial(**run) for run in wanted["runs"]], mode=way.mode)
        answer = {
            "hit_rate": figures.hit_rate,
            "searched_by": _done(way).value,
            "model": way.model,
            "runs": figures.queries,
        }
        return Response(TrialsAnswerSerializer(answer).data)
