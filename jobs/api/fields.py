"""Fields of input that are stricter than their base."""

import math
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

#: Every moment between these can be written in every time zone.
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

#: That a primary key can be.
LARGEST_ID = 2**31 - 1


class FiniteFloatField(serializers.FloatField):
    """A number that is neither infinite nor "nan"."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if isinstance(data, bool) or not math.isfinite(value):
            self.fail("invalid")
        return value


class MomentField(serializers.DateTimeField):
    """An ISO 8601 date and time of a sane year; without an offset it is UTC."""

    def enforce_timezone(self, value: datetime) -> datetime:
        if not EARLIEST.year < value.year < LATEST.year:
            raise serializers.ValidationError("Use a year between 1971 and 8999.")
        return super().enforce_timezone(value)


class ParametersField(serializers.DictField):
    """Parameters of a job: an object whose content the job itself checks."""

    default_error_messages = {"not_a_dict": "Parameters are a JSON object."}


@extend_schema_field({"type": "string", "pattern": r"^\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"})
class ClockField(serializers.TimeField):
    """A time of day without a zone: 08:00. What OpenAPI calls a time has one."""


class IdField(serializers.IntegerField):
    """The id of a row; gives the row."""

    def __init__(self, rows: QuerySet[Any], **options: Any) -> None:
        self.rows = rows
        super().__init__(min_value=1, max_value=LARGEST_ID, **options)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        pk = super().run_validation(data)
        if not isinstance(pk, int):  # it was left out
            return pk
        row = self.rows.filter(pk=pk).first()
        if row is None:
            raise serializers.ValidationError(f"There is no {self.rows.model._meta.verbose_name} {pk}.")
        return row


class IdsField(serializers.ListField):
    """Ids of rows; gives the rows in the order of their ids."""

    def __init__(self, rows: QuerySet[Any], **options: Any) -> None:
        self.rows = rows
        super().__init__(
            child=serializers.IntegerField(min_value=1, max_value=LARGEST_ID), max_length=200, **options
        )

    def to_internal_value(self, data: Any) -> list[Any]:
        ids = set(super().to_internal_value(data))
        found = self.rows.in_bulk(ids)
        if missing := sorted(ids - set(found)):
            name = self.rows.model._meta.verbose_name
            raise serializers.ValidationError(f"There is no {name} {missing[0]}.")
        return [found[pk] for pk in sorted(found)]
