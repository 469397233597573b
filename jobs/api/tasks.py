"""`tasks/{id}/`: what has become of a run, for programs that think in Celery's tasks."""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.answers import seen_run
from jobs.api.permissions import Needed
from jobs.models import JobRun

Status = JobRun.Status


class TaskStateSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    status = serializers.CharField(help_text="Celery's name of its state, such as PROGRESS or SUCCESS.")
    run_status = serializers.ChoiceField(
        choices=Status.choices, help_text="Ours, which tells more: a part may have failed."
    )
    progress = serializers.IntegerField(help_text="Percent, 0 to 100.")
    description = serializers.CharField(help_text="What it is doing now.")
    current = serializers.IntegerField(help_text="Units of the present step that are done.")
    total = serializers.IntegerField(help_text="Units of the present step; 0: not known.")
    elapsed_time = serializers.FloatField(help_text="Seconds of the latest attempt.")
    estimated_remaining = serializers.FloatField(
        help_text="Seconds, if it goes on as it has: elapsed / progress * (100 - progress); 0 before any progress."
    )
    result = serializers.JSONField(allow_null=True, help_text="Once it has succeeded, also in part.")
    error = serializers.CharField(allow_null=True, help_text="Why it failed, was cancelled or never ran.")


class TaskView(APIView):
    permission_of: ClassVar[Needed] = {"get": "jobs.view_jobrun"}

    @extend_schema(operation_id="tasks_retrieve", responses=TaskStateSerializer)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """What has become of a task, and how far it is. Unknown ids are told as such."""
        return Response(TaskStateSerializer(state(seen_run(request, id), timezone.now())).data)


def state(run: JobRun, now: datetime) -> dict[str, Any]:
    """A run in the words of Celery's tasks."""
    elapsed = run.elapsed(now)
    seconds = elapsed.total_seconds() if elapsed else 0.0
    return {
        "task_id": run.id,
        "status": run.celery_state,
        "run_status": run.status,
        "progress": int(run.progress),
        "description": run.progress_text,
        "current": run.progress_current or 0,
        "total": run.progress_total or 0,
        "elapsed_time": round(seconds, 1),
        "estimated_remaining": round(remaining(seconds, run.progress), 1) if run.is_active else 0.0,
        "result": run.result if run.status in (Status.SUCCEEDED, Status.PARTIAL) else None,
        "error": failure(run),
    }


def remaining(elapsed: float, percent: float) -> float:
    """Seconds that are left when the rest goes as fast: after 45.2 s at 60 % another 30.1 s. 0 before any progress."""
    return max(elapsed / percent * (100 - percent), 0.0) if percent > 0 else 0.0


def failure(run: JobRun) -> str | None:
    """Why a run that has ended did not succeed; None for others."""
    if run.is_active or run.status == Status.SUCCEEDED:
        return None
    return run.error_message or run.reason or None
