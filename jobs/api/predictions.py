"""`predictions/`: which runs and coming slots will keep their deadline."""

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs import prediction
from jobs.api.answers import seen_run
from jobs.api.parsing import read_query
from jobs.models import visibility_of
from jobs.prediction import Due, Prediction


class PredictionSerializer(serializers.Serializer[Prediction]):
    job = serializers.CharField()
    run = serializers.UUIDField(source="run_id", allow_null=True, help_text="null for a coming slot.")
    schedule = serializers.IntegerField(source="schedule_id", allow_null=True)
    schedule_name = serializers.CharField()
    slot = serializers.DateTimeField(allow_null=True)
    due = serializers.ChoiceField(
        choices=[due.value for due in Due], allow_null=True, help_text="What it is held to."
    )
    due_at = serializers.DateTimeField(allow_null=True)
    start_p50 = serializers.DateTimeField(allow_null=True, help_text="Half of all cases start by then.")
    end_p50 = serializers.DateTimeField(allow_null=True, help_text="Half of all cases end by then.")
    end_p90 = serializers.DateTimeField(allow_null=True, help_text="9 of 10 end by then.")
    chance = serializers.FloatField(help_text="To miss what it is held to, 0 to 1.")
    will_be_late = serializers.BooleanField()
    reason = serializers.CharField()


class PredictionsQuerySerializer(serializers.Serializer[Any]):
    hours = serializers.FloatField(
        min_value=0.1, max_value=48, default=12, help_text="How far ahead to look for coming slots."
    )
    late_only = serializers.BooleanField(default=False, help_text="Only those that will be late.")


class PredictionsView(APIView):
    permission_of = {"get": "jobs.view_jobrun"}

    @extend_schema(
        operation_id="predictions_list",
        parameters=[PredictionsQuerySerializer],
        responses=PredictionSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """Active runs and coming slots that are held to a deadline, the likeliest to miss it first."""
        query = read_query(PredictionsQuerySerializer, request)
        found = prediction.held(
            timezone.now(), horizon=timedelta(hours=query["hours"]), seen=visibility_of(request.user)
        )
        if query["late_only"]:
            found = [one for one in found if one.will_be_late]
        return Response([PredictionSerializer(one).data for one in found])


class RunPredictionView(APIView):
    permission_of = {"get": "jobs.view_jobrun"}

    @extend_schema(operation_id="runs_prediction", responses=PredictionSerializer)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """When a run will start and end, and whether it will be late. Of an ended run, nothing is foretold: 404."""
        run = seen_run(request, id)
        return Response(PredictionSerializer(prediction.of_active(run, timezone.now())).data)
