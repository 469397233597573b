"""Where the time of runs went: of one run, and of many."""

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import delay_statistics, delays
from jobs.api.answers import seen_run
from jobs.api.parsing import read_query
from jobs.api.statistics import KINDS, ShareSerializer, StatisticsQuerySerializer
from jobs.models import visibility_of


class PartSerializer(serializers.Serializer[delays.Part]):
    kind = serializers.ChoiceField(choices=KINDS)
    title = serializers.CharField()
    attempt = serializers.IntegerField(help_text="0 for what comes before the first.")
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    seconds = serializers.FloatField()
    sentence = serializers.CharField(help_text="What happened, in words.")


class BreakdownSerializer(serializers.Serializer[delays.Breakdown]):
    start = serializers.DateTimeField(help_text="Its slot, or when it was asked for.")
    end = serializers.DateTimeField(help_text="Its end, or now.")
    has_ended = serializers.BooleanField()
    seconds = serializers.FloatField(help_text="The seconds of all parts together.")
    parts = PartSerializer(many=True, help_text="In order, without gap or overlap.")


class WholeSerializer(serializers.Serializer[delay_statistics.Share]):
    mean = serializers.FloatField(help_text="Seconds.")
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class SpentSerializer(serializers.Serializer[delay_statistics.Spent]):
    runs = serializers.IntegerField()
    whole = WholeSerializer(allow_null=True, help_text="From slot to end; null without a run.")
    parts = ShareSerializer(source="shares", many=True, help_text="Those that took any time.")


class GroupSpentSerializer(SpentSerializer):
    name = serializers.CharField(help_text="The job or queue.")


class PieceSpentSerializer(SpentSerializer):
    at = serializers.DateTimeField(help_text="The beginning of the piece.")


class DelayStatisticsSerializer(serializers.Serializer[delay_statistics.DelayStatistics]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    step_seconds = serializers.FloatField(help_text="Of each piece.")
    one_in = serializers.IntegerField(help_text="One in so many runs was looked at; 1: all of them.")
    total = SpentSerializer()
    groups = GroupSpentSerializer(many=True, help_text="The slowest first.")
    over_time = PieceSpentSerializer(many=True, help_text="Pieces without a run are left out.")


class DelayQuerySerializer(StatisticsQuerySerializer):
    by = serializers.ChoiceField(choices=["job", "queue"], default="job")
    queue = serializers.CharField(required=False, max_length=100)


class RunDelaysView(APIView):
    permission_of = {"get": "jobs.view_jobrun"}

    @extend_schema(operation_id="runs_delays", responses=BreakdownSerializer)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Why a run is late, or how it came to its end when it did: every moment, by what it was spent on."""
        return Response(BreakdownSerializer(delays.of_run(seen_run(request, id))).data)


class DelayStatisticsView(APIView):
    permission_of = {"get": "jobs.view_jobrun"}

    @extend_schema(
        operation_id="runs_delays_stats",
        parameters=[DelayQuerySerializer],
        responses=DelayStatisticsSerializer,
    )
    def get(self, request: Request) -> Response:
        """What the runs of a window spent their time on, by job or queue and over time."""
        query: dict[str, Any] = read_query(DelayQuerySerializer, request)
        now = timezone.now()
        found = delay_statistics.of_window(
            now - query["window"],
            now,
            by=query["by"],
            job=query.get("job"),
            queue=query.get("queue"),
            seen=visibility_of(request.user),
        )
        return Response(DelayStatisticsSerializer(found).data)
