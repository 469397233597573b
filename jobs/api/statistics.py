"""`runs/stats/`: what runs did in a window of time."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import delay_statistics, statistics
from jobs.api.parsing import read_query
from jobs.delays import Kind
from jobs.models import JobRun, visibility_of
from jobs.timing import Interval, InvalidTiming, parse_interval

#: What time is spent on, for documents.
KINDS = [(kind.value, kind.label) for kind in Kind]
SHORTEST_WINDOW, LONGEST_WINDOW = timedelta(seconds=1), timedelta(days=366)


class PercentilesSerializer(serializers.Serializer[statistics.Percentiles]):
    p50 = serializers.FloatField(allow_null=True)
    p90 = serializers.FloatField(allow_null=True)
    p99 = serializers.FloatField(allow_null=True)


class FiguresSerializer(serializers.Serializer[statistics.Figures]):
    job = serializers.CharField(allow_null=True, help_text="null for all jobs together.")
    runs = serializers.IntegerField()
    by_status = inline_serializer(
        "CountsByStatus", {status.value: serializers.IntegerField() for status in JobRun.Status}
    )
    success_rate = serializers.FloatField(
        allow_null=True, help_text="Succeeded out of all that ran to an end, 0 to 1."
    )
    durations = PercentilesSerializer(help_text="Seconds.")
    waits = PercentilesSerializer(help_text="Seconds from being asked for to the start.")
    per_hour = serializers.FloatField(help_text="Runs that ran to an end, by the hour.")


class ShareSerializer(serializers.Serializer[delay_statistics.Share]):
    kind = serializers.ChoiceField(choices=KINDS)
    title = serializers.CharField(source="kind.label")
    mean = serializers.FloatField(help_text="Seconds. Means add up to the mean of the whole.")
    p50 = serializers.FloatField()
    p90 = serializers.FloatField()


class StatisticsSerializer(serializers.Serializer[Any]):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    total = FiguresSerializer()
    by_job = FiguresSerializer(many=True)
    delays = ShareSerializer(many=True, help_text="What runs that ended spent their time on, all together.")


class StatisticsQuerySerializer(serializers.Serializer[Any]):
    window = serializers.CharField(
        default="24h", max_length=50, help_text="Length of time up to now: 24h, 7 days, 90 min."
    )
    job = serializers.CharField(required=False, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {"window": window_of(attrs["window"])}


def window_of(text: str) -> timedelta:
    """A typed length of time; raises ValidationError."""
    try:
        length = Interval(*parse_interval(text), anchor=timezone.now()).step
    except InvalidTiming as error:
        raise serializers.ValidationError({"window": [error.reason]}) from error
    if not SHORTEST_WINDOW <= length <= LONGEST_WINDOW:
        raise serializers.ValidationError({"window": ["Use 1 second to 366 days."]})
    return length


class StatisticsView(APIView):
    permission_of = {"get": "jobs.view_jobrun"}

    @extend_schema(
        operation_id="runs_stats", parameters=[StatisticsQuerySerializer], responses=StatisticsSerializer
    )
    def get(self, request: Request) -> Response:
        """Counts, success rate, durations, waits and throughput of the runs asked for in the window."""
        query = read_query(StatisticsQuerySerializer, request)
        now = timezone.now()
        since, job, seen = now - query["window"], query.get("job"), visibility_of(request.user)
        found = statistics.of_window(since, now, job=job, seen=seen)
        shares = delay_statistics.of_window(since, now, job=job, seen=seen).total.shares
        return Response(StatisticsSerializer({**vars(found), "delays": shares}).data)
