"""`medical/knowledge/pubmed-auto-update/`: look for new papers now, and perhaps wait for what comes of it."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models.functions import Lower
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import follow, outbox
from jobs.api import idempotency
from jobs.api.answers import conflict, person, started
from jobs.api.definitions import LONGEST_WAIT
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.api.permissions import Needed
from jobs.api.tasks import failure
from jobs.models import JobRun
from knowledge import topics
from knowledge.models import Topic
from knowledge.topics import MOST_DAYS_BACK, MOST_PAPERS_PER_TOPIC

Status = JobRun.Status

#: How a run that was waited for ended, in the words of the answer.
_ENDS = {Status.SUCCEEDED: "success", Status.PARTIAL: "partial", Status.FAILED: "failed"}
CANCELLED = "cancelled"
ENDS = [*_ENDS.values(), CANCELLED]


class TopicNamesField(serializers.ListField):
    """Names of topics, in any case; gives the topics, the most urgent first."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=serializers.CharField(max_length=200), max_length=200, **options)

    def to_internal_value(self, data: Any) -> list[Topic]:
        names = {" ".join(name.split()).lower(): name for name in super().to_internal_value(data)}
        found = Topic.objects.annotate(folded=Lower("name")).filter(folded__in=names).most_urgent_first()
        known = {topic.name.lower() for topic in found}
        if unknown := [said for folded, said in names.items() if folded not in known]:
            raise serializers.ValidationError([f"There is no topic named “{name}”." for name in unknown])
        return list(found)


class UpdateInputSerializer(StrictSerializer):
    topics = TopicNamesField(
        required=False, help_text="Their names; left out: all that the nightly update looks for."
    )
    papers_per_topic = serializers.IntegerField(
        min_value=1,
        max_value=MOST_PAPERS_PER_TOPIC,
        required=False,
        help_text="At most so many from each source; left out: as each topic says.",
    )
    days_back = serializers.IntegerField(
        min_value=1,
        max_value=MOST_DAYS_BACK,
        required=False,
        help_text="How far to look back; left out: as each topic says.",
    )
    wait = serializers.BooleanField(
        default=False, help_text=f"Answer when it has ended, if that is within {LONGEST_WAIT} seconds."
    )


class WaitQuerySerializer(serializers.Serializer[Any]):
    wait = serializers.BooleanField(default=False, help_text="The same as `wait` in the body.")


class UpdateResultSerializer(serializers.Serializer[Any]):
    topics_searched = serializers.IntegerField(default=0)
    papers_found = serializers.IntegerField(default=0, help_text="All that sources gave, also known ones.")
    papers_indexed = serializers.IntegerField(
        default=0, help_text="That are new or changed, and can be found by now."
    )
    errors = serializers.ListField(  # type: ignore[assignment]  # a field of that name is what clients see
        child=serializers.DictField(), default=list, help_text="Each with source, paper and reason."
    )


class UpdateEndedSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=ENDS)
    task_id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    timestamp = serializers.DateTimeField(help_text="When it ended.")
    result = UpdateResultSerializer(allow_null=True, help_text="null: nothing came of it.")
    error = serializers.CharField(allow_null=True, help_text="Why, unless it went well.")


class UpdateFailedSerializer(UpdateEndedSerializer):
    """The same as an error of the API."""

    code = serializers.CharField()
    message = serializers.CharField()


class UpdateQueuedSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    status = serializers.CharField(help_text="Celery's name of its state, such as PENDING or PROGRESS.")
    timestamp = serializers.DateTimeField()
    message = serializers.CharField()
    run = serializers.URLField(help_text="Where everything about it is.")


class AutoUpdateView(APIView):
    permission_of: ClassVar[Needed] = {"post": "knowledge.run_topic"}

    @extend_schema(
        operation_id="knowledge_auto_update",
        request=UpdateInputSerializer,
        parameters=[WaitQuerySerializer, idempotency.HEADER],
        responses={
            200: OpenApiResponse(
                UpdateEndedSerializer, description="It has ended, and brought something or all; with `wait`."
            ),
            202: OpenApiResponse(UpdateQueuedSerializer, description="It is queued, or still runs."),
            409: conflict(
                "A topic is disabled, or the key was used with other words, or it was cancelled while "
                "somebody waited for it."
            ),
            502: OpenApiResponse(
                UpdateFailedSerializer, description="It has ended and failed; only with `wait`."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """Look for new papers on some topics at all sources now. With `wait`, a failed update is told as an error."""
        wished = read_query(WaitQuerySerializer, request)["wait"]
        body = read_body(UpdateInputSerializer, request)
        run = topics.run(
            body.get("topics", []),
            papers_per_topic=body.get("papers_per_topic"),
            days_back=body.get("days_back"),
            by=person(request),
            trigger=JobRun.Trigger.API,
            idempotency_key=idempotency.key_of(request),
        )
        if wished or body["wait"]:
            outbox.send_held()
            run = follow.wait(run.id, timeout=LONGEST_WAIT)
        return _queued(run, body.get("topics", []), request) if run.is_active else _ended(run)


def _queued(run: JobRun, wanted: Sequence[Topic], request: Request) -> Response:
    answer = started(run, request)
    what = ", ".join(topic.name for topic in wanted) or "all topics of the nightly update"
    answer.data = UpdateQueuedSerializer(
        {
            "task_id": run.id,
            "status": run.celery_state,
            "timestamp": timezone.now(),
            "message": f"Papers are looked for on {what}.",
            "run": answer["Location"],
        }
    ).data
    return answer


def _ended(run: JobRun) -> Response:
    """What came of it. A failed run is no success: 502, since it is others that were asked; 409 for a cancelled one."""
    end = _ENDS.get(Status(run.status), CANCELLED)
    found = {
        "status": end,
        "task_id": run.id,
        "timestamp": run.finished_at or timezone.now(),
        "result": run.result if isinstance(run.result, dict) else None,
        "error": failure(run),
    }
    if end in (_ENDS[Status.SUCCEEDED], _ENDS[Status.PARTIAL]):
        return Response(UpdateEndedSerializer(found).data)
    why = found["error"] or f"The update was {run.get_status_display().lower()}."
    code = "illegal_state" if end == CANCELLED else "update_failed"
    http = status.HTTP_409_CONFLICT if end == CANCELLED else status.HTTP_502_BAD_GATEWAY
    return Response(UpdateFailedSerializer({**found, "code": code, "message": why}).data, status=http)
