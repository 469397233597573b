"""Answers that several views give, and who asks."""

import uuid
from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers, status
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from jobs.errors import RunNotFound
from jobs.models import JobRun


class StartedSerializer(serializers.Serializer[JobRun]):
    """A run that has just been made."""

    id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    job = serializers.CharField()
    queue = serializers.CharField()
    status = serializers.ChoiceField(choices=JobRun.Status.choices)
    celery_state = serializers.CharField()
    queued_at = serializers.DateTimeField()
    url = serializers.URLField()


class ErrorSerializer(serializers.Serializer[Any]):
    """What every error looks like. Used for documentation only: `config.api` makes the bodies."""

    code = serializers.CharField(help_text="For programs.")
    message = serializers.CharField(help_text="For people.")
    fields = serializers.DictField(  # type: ignore[assignment]  # a field of that name is what clients see
        child=serializers.ListField(child=serializers.CharField()), required=False
    )


STARTED = OpenApiResponse(StartedSerializer, description="The run is queued; `Location` is its address.")


def started(run: JobRun, request: Request) -> Response:
    """202: the run was made, and here is where to look. By hand, as every trigger waits for it."""
    url = reverse("api:run-detail", args=[run.id], request=request)
    body = {
        "id": run.id,
        "job": run.job,
        "queue": run.queue,
        "status": run.status,
        "celery_state": run.celery_state,
        "queued_at": run.queued_at,
        "url": url,
    }
    return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": url})


def conflict(description: str) -> OpenApiResponse:
    """A documented 409."""
    return OpenApiResponse(ErrorSerializer, description=description)


def seen_run(request: Request, run_id: uuid.UUID) -> JobRun:
    """The run, if the person who asks may see it; raises RunNotFound for another group's like for an unknown one."""
    run = JobRun.objects.visible_to(request.user).filter(pk=run_id).first()
    if run is None:
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def person(request: Request) -> User:
    """The user who asks; views are open to users only, unless they say otherwise."""
    if not request.user.is_authenticated:
        raise NotAuthenticated
    return request.user
