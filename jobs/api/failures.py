"""`failures/`: failed and lost runs by cause; muted, archived, and made again many at a time."""

import base64
from typing import Any

from django.utils import timezone
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.viewsets import ViewSet

from jobs.api.answers import conflict, person
from jobs.api.fields import MomentField, ParametersField
from jobs.api.parsing import StrictSerializer, read_body, read_query
from jobs.api.runs import ScheduleLinkSerializer
from jobs.api.statistics import window_of
from jobs.deadletters import causes, decisions, retrying
from jobs.deadletters.causes import Cause, Place, State, Wanted
from jobs.deadletters.retrying import Wish
from jobs.models import FailureDecision, JobRun, visibility_of

#: Runs of a cause that its details name.
_LATEST = 20
#: Runs that a plan names; all of them count.
_SAMPLE = 100
_FINGERPRINT = "Equal for errors of the same cause in one job."


class DecisionSerializer(serializers.Serializer[FailureDecision]):
    action = serializers.ChoiceField(choices=FailureDecision.Action.choices)
    until = serializers.DateTimeField(allow_null=True, help_text="null: until the cause changes.")
    note = serializers.CharField()
    decided_at = serializers.DateTimeField()
    decided_by = serializers.CharField(source="decided_by.username", allow_null=True, default=None)


class CauseSerializer(serializers.Serializer[Cause]):
    fingerprint = serializers.CharField(help_text=_FINGERPRINT)
    job = serializers.CharField()
    state = serializers.ChoiceField(
        choices=[state.value for state in State],
        help_text="open: some were neither made again nor decided about. handled: each was made again.",
    )
    error_type = serializers.CharField()
    message = serializers.CharField(help_text="Of the latest failure, shortened.")
    is_lost = serializers.BooleanField(help_text="Workers fell silent; it is not about an error.")
    failures = serializers.IntegerField()
    open = serializers.IntegerField(help_text="Failures that were not made again.")
    retried = serializers.IntegerField(help_text="Failures that were made again.")
    recovered = serializers.IntegerField(help_text="Of those, failures whose retry succeeded.")
    going_on = serializers.IntegerField(help_text="Of those, failures whose retry waits or runs.")
    first_seen = serializers.DateTimeField(help_text="Within the window.")
    last_seen = serializers.DateTimeField()
    over_time = serializers.ListField(
        child=serializers.IntegerField(), help_text="Failures in each of the equal pieces of the window."
    )
    schedules = ScheduleLinkSerializer(
        source="named_schedules", many=True, help_text="Schedules whose runs failed lately."
    )
    decision = DecisionSerializer(allow_null=True)
    latest_run = serializers.UUIDField()


class CausePageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True)
    results = CauseSerializer(many=True)


class FailedRunSerializer(serializers.ModelSerializer[JobRun]):
    class Meta:
        model = JobRun
        fields = ["id", "finished_at", "attempt", "error_message", "schedule", "parameters"]


class CauseDetailSerializer(serializers.Serializer[Any]):
    cause = CauseSerializer()
    traceback = serializers.CharField(help_text="Of the latest failure.")
    runs = FailedRunSerializer(many=True, help_text="The latest failures.")


class CausesQuerySerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[state.value for state in State], required=False)
    job = serializers.CharField(required=False, max_length=200)
    window = serializers.CharField(
        default="30 days", max_length=50, help_text="Length of time up to now: 24h, 7 days."
    )
    page_size = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(required=False, max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["window"] = window_of(attrs["window"])
        if "cursor" in attrs:
            attrs["cursor"] = _place(attrs["cursor"])
        return attrs


class DecideSerializer(StrictSerializer):
    until = MomentField(
        required=False, allow_null=True, default=None, help_text="null: until the cause changes."
    )
    note = serializers.CharField(max_length=300, allow_blank=True, default="")


class BulkRetrySerializer(StrictSerializer):
    dry_run = serializers.BooleanField(default=False, help_text="Only tell what would run.")
    parameters = ParametersField(
        default=dict, help_text="These replace the parameters of every run; others stay as they were in each."
    )
    per_minute = serializers.IntegerField(
        min_value=retrying.SLOWEST,
        max_value=retrying.FASTEST,
        allow_null=True,
        default=None,
        help_text="So many start in a minute, evenly spread; null: all at once.",
    )
    run_ids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_empty=False,
        max_length=retrying.MOST,
        help_text="Only these failures of the cause.",
    )


class PlannedSerializer(serializers.Serializer[retrying.Again]):
    run = serializers.UUIDField(source="run.id")
    parameters = serializers.JSONField()


class RefusedRunSerializer(serializers.Serializer[retrying.Refused]):
    run = serializers.UUIDField(source="run.id")
    fields = serializers.DictField(  # type: ignore[assignment]  # as in every error
        child=serializers.ListField(child=serializers.CharField())
    )


class PlanSerializer(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    runs = serializers.IntegerField(help_text="How many were made again, or would be.")
    refused = serializers.IntegerField(help_text="How many have parameters that do not fit.")
    already = serializers.IntegerField(help_text="How many were made again before.")
    has_more = serializers.BooleanField(help_text=f"One call takes the oldest {retrying.MOST}.")
    spread_seconds = serializers.FloatField(help_text="From the first start to the last.")
    total_seconds = serializers.FloatField(
        allow_null=True, help_text="Until all have ended; null without history or workers to go by."
    )
    sample = PlannedSerializer(many=True, help_text=f"Up to {_SAMPLE} of the runs.")
    refusals = RefusedRunSerializer(many=True, help_text=f"Up to {_SAMPLE} of the refused.")
    last_start_at = serializers.DateTimeField(allow_null=True)


class FailureViewSet(ViewSet):
    """Failures by cause."""

    permission_of = {
        "list": "jobs.view_jobrun",
        "retrieve": "jobs.view_jobrun",
        "retry": "jobs.run_job",
        "mute": "jobs.mute_failure",
        "archive": "jobs.mute_failure",
        "reopen": "jobs.mute_failure",
    }

    @extend_schema(
        operation_id="failures_list",
        parameters=[CausesQuerySerializer],
        responses=forced_singular_serializer(CausePageSerializer),  # type: ignore[no-untyped-call]  # untyped there
    )
    def list(self, request: Request) -> Response:
        """Causes of failures, the latest first."""
        query = read_query(CausesQuerySerializer, request)
        now = timezone.now()
        wanted = Wanted(
            since=now - query["window"],
            until=now,
            state=State(query["state"]) if "state" in query else None,
            job=query.get("job"),
            seen=visibility_of(request.user),
        )
        found = causes.find(wanted, limit=query["page_size"] + 1, after=query.get("cursor"))
        page = found[: query["page_size"]]
        following = None
        if len(found) > len(page):
            address = request.build_absolute_uri()
            following = replace_query_param(address, "cursor", _cursor(page[-1]))
        results = [CauseSerializer(cause).data for cause in page]
        return Response({"next": following, "results": results})

    @extend_schema(operation_id="failures_retrieve", responses=CauseDetailSerializer)
    def retrieve(self, request: Request, fingerprint: str) -> Response:
        """One cause with its latest failures and their traceback."""
        seen = visibility_of(request.user)
        cause = causes.get(fingerprint, seen=seen)
        runs = list(causes.failures(fingerprint, seen=seen).defer("result")[:_LATEST])
        body = {"cause": cause, "runs": runs, "traceback": runs[0].traceback if runs else ""}
        return Response(CauseDetailSerializer(body).data)

    @extend_schema(
        operation_id="failures_retry",
        request=BulkRetrySerializer,
        responses={
            200: OpenApiResponse(PlanSerializer, description="What would run: nothing was changed."),
            202: OpenApiResponse(PlanSerializer, description="The runs are made, each failure once."),
        },
    )
    def retry(self, request: Request, fingerprint: str) -> Response:
        """Make the failures of a cause again that were not made again yet, the oldest first."""
        body = read_body(BulkRetrySerializer, request)
        wish = Wish(
            fingerprint=causes.get(fingerprint, seen=visibility_of(request.user)).fingerprint,
            run_ids=body.get("run_ids"),
            overrides=body["parameters"],
            per_minute=body["per_minute"],
            seen=visibility_of(request.user),
        )
        plan = retrying.plan(wish)
        answer: dict[str, Any] = {
            "dry_run": body["dry_run"],
            "runs": len(plan.again),
            "refused": len(plan.refused),
            "already": plan.already,
            "has_more": plan.has_more,
            "spread_seconds": plan.spread_seconds,
            "total_seconds": plan.total_seconds,
            "sample": plan.again[:_SAMPLE],
            "refusals": plan.refused[:_SAMPLE],
            "last_start_at": None,
        }
        if body["dry_run"]:
            return Response(PlanSerializer(answer).data)
        done = retrying.carry_out(wish, by=person(request))
        answer |= {"runs": len(done.runs), "has_more": done.has_more, "last_start_at": done.last_start_at}
        return Response(PlanSerializer(answer).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(operation_id="failures_mute", request=DecideSerializer, responses=DecisionSerializer)
    def mute(self, request: Request, fingerprint: str) -> Response:
        """Raise no alert for this cause, until a moment or until it changes."""
        return self._decide(request, fingerprint, FailureDecision.Action.MUTED)

    @extend_schema(operation_id="failures_archive", request=DecideSerializer, responses=DecisionSerializer)
    def archive(self, request: Request, fingerprint: str) -> Response:
        """Say that this cause will not be fixed: it leaves the list and raises no alert."""
        return self._decide(request, fingerprint, FailureDecision.Action.ARCHIVED)

    @extend_schema(
        operation_id="failures_reopen",
        request=None,
        responses={204: None, 409: conflict("Nothing was decided about it.")},
    )
    def reopen(self, request: Request, fingerprint: str) -> Response:
        """Take the decision about this cause back."""
        causes.get(fingerprint, seen=visibility_of(request.user))
        decisions.reopen(fingerprint, by=person(request))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _decide(self, request: Request, fingerprint: str, action: FailureDecision.Action) -> Response:
        body = read_body(DecideSerializer, request)
        causes.get(fingerprint, seen=visibility_of(request.user))
        decision = decisions.decide(
            fingerprint, action, by=person(request), until=body["until"], note=body["note"]
        )
        return Response(DecisionSerializer(decision).data)


def _cursor(cause: Cause) -> str:
    return base64.urlsafe_b64encode(causes.as_text(cause).encode()).decode()


def _place(cursor: str) -> Place:
    try:
        place = causes.as_place(base64.urlsafe_b64decode(cursor.encode("ascii")).decode())
    except ValueError:
        place = None
    if place is None:
        raise ValidationError({"cursor": ["This is not a cursor that a page gave."]})
    return place
