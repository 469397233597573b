"""`tasks/`: the work of publishing by name, for programs that think in Celery's tasks. Each is a run of the ledger."""

import uuid
from typing import Any, ClassVar

from django.db.models import Count
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from jobs import health, heartbeats, ledger
from jobs.alerts import canary
from jobs.api import idempotency
from jobs.api.answers import conflict, person, seen_run, started
from jobs.api.fields import IdField
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.api.permissions import Needed
from jobs.api.system import CheckSerializer
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun, ProcessHeartbeat
from publishing import controls, posts
from publishing.api.agents import QUOTA_EXCEEDED, WriteInputSerializer, write
from publishing.models import Agent, Post, Publisher, Source

Status = JobRun.Status

_PARTS = {
    "active": [Status.RUNNING],
    "scheduled": [Status.WAITING, Status.RETRYING],
    "reserved": [Status.QUEUED],
}
_HEALTH = [(state.value, state.name) for state in health.Status]


class GeneratePostSerializer(WriteInputSerializer):
    agent_id = IdField(Agent.objects.all(), source="agent", help_text="Who writes it.")


class PublishPostSerializer(StrictSerializer):
    post_id = IdField(Post.objects.all(), source="post")
    publisher_id = IdField(
        Publisher.objects.all(),
        source="publisher",
        required=False,
        allow_null=True,
        help_text="Left out: the publishers that it is scheduled for, or else those of its agent.",
    )


class MonitorRssSerializer(StrictSerializer):
    source_id = IdField(Source.objects.all(), source="source", help_text="Of a source of any kind.")
    auto_generate = serializers.BooleanField(
        allow_null=True,
        default=None,
        help_text="Whether its agents write of what is new at once, three posts at most; null: as the source says.",
    )


class TaskSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    status = serializers.CharField(help_text="Celery's name of its state, in lower case: pending.")
    message = serializers.CharField(help_text="For people.")
    run = serializers.URLField(help_text="Where everything about it is.")


class TaskStatusSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()
    status = serializers.CharField(help_text="Celery's name of its state, such as SUCCESS.")
    run_status = serializers.ChoiceField(
        choices=Status.choices, help_text="Ours, which tells more: a part may have failed."
    )
    result = serializers.JSONField(allow_null=True, help_text="Once it has succeeded.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed, was cancelled or never ran.")
    run = serializers.URLField(help_text="Where everything about it is.")


class ActiveTaskSerializer(serializers.Serializer[JobRun]):
    task_id = serializers.UUIDField(source="id")
    name = serializers.CharField(source="job")
    queue = serializers.CharField()
    status = serializers.CharField(source="celery_state")
    run_status = serializers.ChoiceField(source="status", choices=Status.choices)
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    eta = serializers.SerializerMethodField(help_text="Not before this moment; null: as soon as possible.")
    worker = serializers.CharField(help_text="Empty: none has it.")

    def get_eta(self, run: JobRun) -> str | None:
        at = run.next_attempt_at if run.status == Status.RETRYING else run.not_before
        return None if at is None or run.status not in (Status.RETRYING, Status.WAITING) else at.isoformat()


class ActiveTasksSerializer(serializers.Serializer[Any]):
    active = ActiveTaskSerializer(many=True, help_text="A worker is at it.")
    scheduled = ActiveTaskSerializer(
        many=True, help_text="They wait for a moment, another run or a next attempt."
    )
    reserved = ActiveTaskSerializer(many=True, help_text="A worker may take them now.")
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="How many there are of each; lists show the oldest."
    )


class ActiveQuerySerializer(serializers.Serializer[Any]):
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100, help_text="Of each list.")


class CancelledSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()
    status = serializers.CharField(help_text="Celery's name of its state.")
    run_status = serializers.ChoiceField(choices=Status.choices)
    message = serializers.CharField(help_text="For people.")


class LastCheckSerializer(serializers.Serializer[JobRun]):
    task_id = serializers.UUIDField(source="id")
    queue = serializers.CharField()
    run_status = serializers.ChoiceField(source="status", choices=Status.choices)
    finished_at = serializers.DateTimeField()
    seconds = serializers.FloatField(help_text="From being asked for to its end.")


class TaskHealthSerializer(serializers.Serializer[Any]):
    celery_status = serializers.ChoiceField(
        choices=_HEALTH, help_text="As bad as the worse of broker and workers."
    )
    workers_online = serializers.IntegerField()
    health_check_result = LastCheckSerializer(
        allow_null=True,
        help_text="The latest of the runs that are sent through every queue, just to see that it moves; null: none yet.",
    )
    checks = CheckSerializer(many=True)


QUEUED = OpenApiResponse(TaskSerializer, description="It is queued; `Location` is the address of its run.")


class TaskViewSet(GenericViewSet[JobRun]):
    queryset = JobRun.objects.all()
    lookup_field = "id"
    pagination_class = None
    filter_backends = ()
    permission_of: ClassVar[Needed] = {
        "generate_post": "publishing.run_agent",
        "publish_post": "publishing.publish_post",
        "monitor_rss": "publishing.poll_source",
        "retry_failed": "publishing.publish_post",
        "state": "jobs.view_jobrun",
        "cancel": "jobs.cancel_run",
        "active": "jobs.view_jobrun",
        "health": "jobs.view_system",
    }

    @extend_schema(
        operation_id="tasks_generate_post",
        request=GeneratePostSerializer,
        parameters=[idempotency.HEADER],
        responses={
            202: QUEUED,
            402: QUOTA_EXCEEDED,
            409: conflict("The agent is disabled, or the key was used with other words."),
        },
    )
    def generate_post(self, request: Request) -> Response:
        """Let an agent write a post now."""
        order = read_body(GeneratePostSerializer, request)
        return _queued(write(request, **order), request, f"{order['agent']} will write a post.")

    @extend_schema(
        operation_id="tasks_publish_post",
        request=PublishPostSerializer,
        responses={202: QUEUED, 409: conflict("It is in review, on its way or went out.")},
    )
    def publish_post(self, request: Request) -> Response:
        """Let a post go out now."""
        body = read_body(PublishPostSerializer, request)
        post, publisher = body["post"], body.get("publisher")
        chosen = posts.publishers_of(post) if publisher is None else [publisher]
        if not chosen:
            reason = "Choose where it goes out: neither the post nor its agent has publishers."
            raise serializers.ValidationError({"publisher_id": [reason]})
        run = posts.publish_now(post, chosen, by=person(request), trigger=JobRun.Trigger.API)
        return _queued(run, request, f"It goes out to {', '.join(map(str, chosen))}.")

    @extend_schema(
        operation_id="tasks_monitor_rss",
        request=MonitorRssSerializer,
        responses={202: QUEUED, 409: conflict("The source is not polled.")},
    )
    def monitor_rss(self, request: Request) -> Response:
        """Poll a source now, due or not. To let agents write of it needs the permission publishing.run_agent, too."""
        body = read_body(MonitorRssSerializer, request)
        if body["auto_generate"] and not person(request).has_perm("publishing.run_agent"):
            self.permission_denied(request, "This needs the permission publishing.run_agent.")
        run = controls.poll(
            body["source"],
            by=person(request),
            trigger=JobRun.Trigger.API,
            auto_generate=body["auto_generate"],
        )
        return _queued(run, request, f"{body['source']} will be polled.")

    @extend_schema(operation_id="tasks_retry_failed", request=None, responses={202: QUEUED})
    def retry_failed(self, request: Request) -> Response:
        """Send again what could not be sent yet. What was refused for good stays so: `publications/{id}/send-again/`."""
        job = get_job("publishing.retry_failed_publications")
        run = enqueue(job, {}, trigger=JobRun.Trigger.API, requested_by=person(request))
        return _queued(run, request, "What waits for another attempt will be sent.")

    @extend_schema(operation_id="tasks_status", responses=TaskStatusSerializer)
    def state(self, request: Request, id: uuid.UUID) -> Response:
        """What has become of a task."""
        run = seen_run(request, id)
        has_result = run.status in (Status.SUCCEEDED, Status.PARTIAL)
        why = run.error_message or run.reason
        found = {
            "task_id": run.id,
            "status": run.celery_state,
            "run_status": run.status,
            "result": run.result if has_result else None,
            "error": (why or None) if not run.is_active and run.status != Status.SUCCEEDED else None,
            "run": _address(run, request),
        }
        return Response(TaskStatusSerializer(found).data)

    @extend_schema(
        operation_id="tasks_cancel",
        request=None,
        responses={
            200: OpenApiResponse(CancelledSerializer, description="It waited, and is cancelled."),
            202: OpenApiResponse(CancelledSerializer, description="It runs, and was asked to stop."),
            409: conflict("It has ended already."),
        },
    )
    def cancel(self, request: Request, id: uuid.UUID) -> Response:
        """Cancel a task: at once while it waits, else it is asked to stop, and made to when it does not."""
        run = ledger.cancel(seen_run(request, id).pk, by=person(request))
        message = "It runs, and was asked to stop." if run.is_active else "It is cancelled; it had not begun."
        found = {"task_id": run.id, "status": run.celery_state, "run_status": run.status, "message": message}
        code = status.HTTP_202_ACCEPTED if run.is_active else status.HTTP_200_OK
        return Response(CancelledSerializer(found).data, status=code)

    @extend_schema(
        operation_id="tasks_active", parameters=[ActiveQuerySerializer], responses=ActiveTasksSerializer
    )
    def active(self, request: Request) -> Response:
        """What runs, waits and may be taken, of all jobs, as the ledger knows it. No worker is asked."""
        limit = read_query(ActiveQuerySerializer, request)["limit"]
        seen = JobRun.objects.visible_to(request.user)
        counted = seen.active().order_by().values_list("status").annotate(count=Count("pk"))
        by_status: dict[str, int] = dict(counted)
        found: dict[str, Any] = {
            "counts": {
                part: sum(by_status.get(state, 0) for state in states) for part, states in _PARTS.items()
            }
        }
        for part, states in _PARTS.items():
            rows = seen.filter(status__in=states).order_by("pk")
            found[part] = rows.defer("parameters", "args", "result", "traceback", "error_message")[:limit]
        return Response(ActiveTasksSerializer(found).data)

    @extend_schema(operation_id="tasks_health", responses=TaskHealthSerializer)
    def health(self, request: Request) -> Response:
        """Whether tasks are carried out. A few seconds old at most; nothing is waited for."""
        found = health.monitor.look()
        checks = [check for check in found.checks if check.name in ("broker", "workers")]
        last = (
            JobRun.objects.finished()
            .filter(job=canary.JOB, finished_at__isnull=False)
            .order_by("-pk")
            .first()
        )
        if last is not None and last.finished_at is not None:
            last.seconds = (last.finished_at - last.queued_at).total_seconds()  # type: ignore[attr-defined]
        answer = {
            "celery_status": health.Health(checks, found.checked_at).status,
            "workers_online": len(heartbeats.alive(ProcessHeartbeat.Kind.WORKER, timezone.now())),
            "health_check_result": last,
            "checks": checks,
        }
        return Response(TaskHealthSerializer(answer).data)


def _queued(run: JobRun, request: Request, message: str) -> Response:
    """202 in the words of tasks."""
    answer = started(run, request)
    answer.data = {
        "task_id": run.id,
        "status": run.celery_state.lower(),
        "message": message,
        "run": answer["Location"],
    }
    return answer


def _address(run: JobRun, request: Request) -> str:
    return reverse("api:run-detail", args=[run.id], request=request)
