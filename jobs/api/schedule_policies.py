"""The policies of schedules in the API: overlap, jitter, failures, calendars."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rest_framework import serializers

from jobs.api.parsing import StrictSerializer
from jobs.models import Schedule, SchedulePolicy
from jobs.policies import Policies

Overlap = SchedulePolicy.Overlap
NAMES = ("overlap", "buffer_limit", "jitter_seconds", "pause_on_failure", "calendars")
_LARGEST_ID = 2**31 - 1


class PolicyInputSerializer(StrictSerializer):
    """What a client may say about the slots of a schedule."""

    overlap = serializers.ChoiceField(
        choices=Overlap.choices,
        required=False,
        help_text="What to do with a slot that comes while an earlier run has not ended. Left out: the job's own rule.",
    )
    buffer_limit = serializers.IntegerField(
        min_value=1, max_value=1000, default=100, help_text="How many slots may wait for an earlier run."
    )
    jitter_seconds = serializers.IntegerField(
        min_value=0, max_value=86_400, default=0, help_text="Each slot starts up to so many seconds late."
    )
    pause_on_failure = serializers.BooleanField(
        default=False, help_text="Pause when a run has failed and is not tried again."
    )
    calendars = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_LARGEST_ID),
        max_length=100,
        default=list,
        help_text="Ids of the calendars on whose days there are no slots.",
    )


class PolicySerializer(serializers.Serializer[Schedule]):
    """The policies of a schedule as they are stored."""

    overlap = serializers.ChoiceField(source="policy.overlap", choices=Overlap.choices)
    buffer_limit = serializers.IntegerField(source="policy.buffer_limit")
    jitter_seconds = serializers.IntegerField(source="policy.jitter_seconds")
    pause_on_failure = serializers.BooleanField(source="policy.pause_on_failure")
    calendars = serializers.SerializerMethodField(
        help_text="Ids of the calendars on whose days there are no slots."
    )

    def get_calendars(self, schedule: Schedule) -> list[int]:
        return sorted(calendar.pk for calendar in schedule.calendars.all())


def changed(policies: Policies, body: Mapping[str, Any]) -> Policies:
    """The policies with what a validated body says of them."""
    given: dict[str, Any] = {name: body[name] for name in NAMES if name in body}
    if "calendars" in given:
        given["calendars"] = tuple(dict.fromkeys(given["calendars"]))
    return replace(policies, **given)
