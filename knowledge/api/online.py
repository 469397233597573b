"""`medical/knowledge/online/` and `pubmed-latest/`: what services have now. Nothing of it is stored."""

from datetime import timedelta
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.answers import conflict
from jobs.api.parsing import StrictSerializer, read_query
from jobs.api.permissions import Needed
from jobs.api.throttling import RequestRate
from knowledge import connectors, online
from knowledge.connectors import Query, Window
from knowledge.connectors.base import LONGEST_QUERY
from knowledge.models import ServicePace, Source
from knowledge.online import MOST_PAPERS, Fetched
from knowledge.records import Record

#: Requests a minute of one user (or API key) that ask services: their pace is shared by everybody.
ASKING_RATE = 10
_REFUSED = conflict("The service refuses: a key it does not know, or an address that is gone.")
PUBMED, FEEDS = "pubmed", "feeds"


class AskingRate(RequestRate):
    """A ceiling of its own for requests that make us ask others."""

    def _counted(self, request: Request) -> tuple[str, int]:
        who, rate = super()._counted(request)
        return f"asking:{who}", ASKING_RATE if rate else 0


class _LimitsSerializer(StrictSerializer):
    max_results = serializers.IntegerField(min_value=1, max_value=MOST_PAPERS, default=10)
    days_back = serializers.IntegerField(
        min_value=1, max_value=3650, default=30, help_text="How far back the service had it first."
    )


class LatestQuerySerializer(_LimitsSerializer):
    topic = serializers.CharField(max_length=LONGEST_QUERY, help_text="Words, or PubMed's own syntax.")
    days_back = serializers.IntegerField(min_value=1, max_value=90, default=7)


class OnlineQuerySerializer(_LimitsSerializer):
    query = serializers.CharField(max_length=LONGEST_QUERY, help_text="Words, or the source's own syntax.")


class GuidelinesQuerySerializer(OnlineQuerySerializer):
    query = serializers.CharField(max_length=LONGEST_QUERY, default="*", help_text="`*`: everything.")


class OnlinePaperSerializer(serializers.Serializer[Record]):
    pubmed_id = serializers.CharField(source="pmid")
    doi = serializers.CharField()
    title = serializers.CharField()
    authors = serializers.SerializerMethodField(help_text="Their names, in order.")
    publication_date = serializers.SerializerMethodField(help_text="As far as it is known; empty: it is not.")
    journal = serializers.CharField()
    abstract = serializers.CharField(source="abstract_text")
    url = serializers.CharField()
    is_retracted = serializers.BooleanField()
    fetched_at = serializers.SerializerMethodField()

    def get_authors(self, record: Record) -> list[str]:
        return [author.name for author in record.authors]

    def get_publication_date(self, record: Record) -> str:
        return str(record.published or "")

    def get_fetched_at(self, record: Record) -> str:
        return str(self.context["fetched_at"])


class LatestSerializer(serializers.Serializer[Any]):
    topic = serializers.CharField()
    papers = OnlinePaperSerializer(many=True, help_text="The newest first.")
    count = serializers.IntegerField()
    days_back = serializers.IntegerField()


class OnlineAnswerSerializer(serializers.Serializer[Any]):
    query = serializers.CharField()
    translated = serializers.CharField(help_text="As the source understood it.")
    warnings = serializers.ListField(child=serializers.CharField())
    total = serializers.IntegerField(help_text="How many there are.")
    count = serializers.IntegerField()
    papers = OnlinePaperSerializer(many=True)


class GuidelineSerializer(serializers.Serializer[Record]):
    title = serializers.CharField()
    url = serializers.CharField()
    published = serializers.SerializerMethodField()
    publisher = serializers.CharField()
    summary = serializers.CharField(source="abstract_text")

    def get_published(self, record: Record) -> str:
        return str(record.published or "")


class GuidelinesSerializer(serializers.Serializer[Any]):
    query = serializers.CharField()
    count = serializers.IntegerField()
    guidelines = GuidelineSerializer(many=True)


class ServiceStateSerializer(serializers.Serializer[Any]):
    connector = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # a field of that name is what clients see
    is_enabled = serializers.BooleanField(help_text="A source with this connector is asked by itself.")
    held_until = serializers.DateTimeField(
        allow_null=True, help_text="Left alone until then, since it was asked too often; null: it is not."
    )
    hold_reason = serializers.CharField()
    synced_at = serializers.DateTimeField(
        allow_null=True, help_text="When news of known papers were last looked for there."
    )
    problems = serializers.ListField(
        child=serializers.CharField(), help_text="Why its sources could not be asked the last time."
    )
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="What its settings lack, such as an address of contact."
    )


class OnlineView(APIView):
    """Asks a service with each request."""

    throttle_classes = [RequestRate, AskingRate]
    permission_of: ClassVar[Needed] = {"get": "knowledge.run_topic"}


class LatestView(OnlineView):
    @extend_schema(
        operation_id="knowledge_pubmed_latest",
        parameters=[LatestQuerySerializer],
        responses={200: LatestSerializer, 409: _REFUSED},
    )
    def get(self, request: Request) -> Response:
        """What PubMed has listed on a topic lately, the newest first."""
        wanted = read_query(LatestQuerySerializer, request)
        found = _ask(PUBMED, wanted["topic"], wanted)
        answer = {
            "topic": wanted["topic"],
            "papers": found.records,
            "count": len(found.records),
            "days_back": wanted["days_back"],
        }
        return Response(LatestSerializer(answer, context=_now()).data)


class SearchPubmedView(OnlineView):
    @extend_schema(
        operation_id="knowledge_online_search_pubmed",
        parameters=[OnlineQuerySerializer],
        responses={200: OnlineAnswerSerializer, 409: _REFUSED},
    )
    def get(self, request: Request) -> Response:
        """Search PubMed itself."""
        wanted = read_query(OnlineQuerySerializer, request)
        found = _ask(PUBMED, wanted["query"], wanted, with_preview=True)
        preview = found.preview
        answer = {
            "query": wanted["query"],
            "translated": preview.translated if preview else "",
            "warnings": preview.warnings if preview else (),
            "total": preview.hits if preview else len(found.records),
            "count": len(found.records),
            "papers": found.records,
        }
        return Response(OnlineAnswerSerializer(answer, context=_now()).data)


class GuidelinesView(OnlineView):
    @extend_schema(
        operation_id="knowledge_online_guidelines",
        parameters=[GuidelinesQuerySerializer],
        responses={200: GuidelinesSerializer, 409: _REFUSED},
    )
    def get(self, request: Request) -> Response:
        """Guidelines and news of health authorities (WHO, CDC, NIH) that fit the query."""
        wanted = read_query(GuidelinesQuerySerializer, request)
        found = _ask(FEEDS, wanted["query"], wanted)
        answer = {"query": wanted["query"], "count": len(found.records), "guidelines": found.records}
        return Response(GuidelinesSerializer(answer).data)


class OnlineStatusView(APIView):
    permission_of: ClassVar[Needed] = {"get": ("knowledge.view_source", "knowledge.view_servicepace")}

    @extend_schema(operation_id="knowledge_online_status", responses=ServiceStateSerializer(many=True))
    def get(self, request: Request) -> Response:
        """How each service was when it was last asked. Asks none of them."""
        return Response(ServiceStateSerializer([_state(kind) for kind in connectors.kinds()], many=True).data)


def _ask(kind: str, text: str, wanted: dict[str, Any], *, with_preview: bool = False) -> Fetched:
    window = Window((timezone.now() - timedelta(days=wanted["days_back"])).date())
    return online.fetch(
        kind, Query(text, window, max_results=wanted["max_results"]), with_preview=with_preview
    )


def _now() -> dict[str, Any]:
    return {"fetched_at": timezone.now().isoformat()}


def _state(kind: str) -> dict[str, Any]:
    connector = connectors.get(kind)
    sources = list(Source.objects.filter(connector=kind))
    hold = (
        ServicePace.objects.filter(service__startswith=kind, held_until__gt=timezone.now())
        .order_by("-held_until")
        .first()
    )
    return {
        "connector": kind,
        "label": connector.label,
        "is_enabled": any(source.is_enabled for source in sources),
        "held_until": hold.held_until if hold else None,
        "hold_reason": hold.hold_reason if hold else "",
        "synced_at": max((source.synced_at for source in sources if source.synced_at), default=None),
        "problems": [f"{source}: {source.problem}" for source in sources if source.problem],
        "warnings": connector.warnings(),
    }
