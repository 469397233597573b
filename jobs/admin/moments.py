"""Times as people type them: a date and a clock time in a zone they chose."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.widgets import DATETIME_CLASSES

FORMAT = "%Y-%m-%dT%H:%M:%S"


class MomentInput(forms.DateTimeInput):
    """The browser's own field for a date and a time."""

    input_type = "datetime-local"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(
            attrs={"class": " ".join(DATETIME_CLASSES), "step": "1", **(attrs or {})}, format=FORMAT
        )


class MomentField(forms.Field):
    """A moment, typed as local time of `zone` and given as an aware datetime in UTC."""

    widget = MomentInput

    def __init__(self, *, zone: ZoneInfo | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zone = zone or ZoneInfo(timezone.get_default_timezone_name())

    def prepare_value(self, value: Any) -> Any:
        moment = _parsed(value)
        return value if moment is None else local_text(moment, self.zone)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        moment = _parsed(value)
        if moment is None:
            raise forms.ValidationError("Write a date and a time, such as 2030-01-31T09:00.")
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
        return in_zone(moment, self.zone)


def in_zone(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of a naive local time; the first of two. Raises ValidationError for one that is skipped."""
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:
        raise forms.ValidationError(
            "This time does not exist in %(zone)s: the clocks go forward over it.",
            params={"zone": zone.key},
        )
    return moment


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as the browser's field wants it; seconds and an offset-free local time."""
    local = moment if moment.tzinfo is None else moment.astimezone(zone)
    return local.strftime(FORMAT)


def _parsed(value: Any) -> datetime | None:
    if isinstance(value, datetime):
        return value
    try:
        return parse_datetime(str(value))
    except ValueError:
        return None
