"""Calendars: the days on which schedules have no slots."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from jobs import audit
from jobs.errors import InvalidCalendar
from jobs.models import Calendar, CalendarDays


@dataclass(frozen=True)
class Excluded:
    """The days without slots of one schedule, in its time zone."""

    days: tuple[CalendarDays, ...]

    def reason(self, moment: datetime, zone: ZoneInfo) -> str:
        """Why there is no slot at a moment; empty when nothing speaks against it."""
        if not self.days:
            return ""
        day = moment.astimezone(zone).date()
        found = next((days for days in self.days if days.covers(day)), None)
        if found is None:
            return ""
        note = f": {found.note}" if found.note else ""
        return f"{day:%a} {day.day} {day:%b %Y} is in the calendar {found.calendar.name}{note}."


NOTHING = Excluded(())


def load(schedule_ids: Collection[int]) -> Mapping[int, Excluded]:
    """The days without slots of each of the schedules that has any. One statement, two when there are some."""
    used = list(
        Calendar.schedules.through._default_manager.filter(schedule_id__in=schedule_ids).values_list(
            "schedule_id", "calendar_id"
        )
    )
    if not used:
        return {}
    days: dict[int, list[CalendarDays]] = defaultdict(list)
    for row in CalendarDays.objects.filter(calendar_id__in={calendar for _, calendar in used}).select_related(
        "calendar"
    ):
        days[row.calendar_id].append(row)
    found: dict[int, list[CalendarDays]] = defaultdict(list)
    for schedule_id, calendar_id in used:
        found[schedule_id] += days[calendar_id]
    return {schedule_id: Excluded(tuple(rows)) for schedule_id, rows in found.items()}


@dataclass(frozen=True, kw_only=True)
class Days:
    """A day or several in a row."""

    first_day: date
    last_day: date
    is_yearly: bool = False
    note: str = ""


def save(
    calendar: Calendar | None,
    *,
    name: str,
    description: str = "",
    days: Sequence[Days],
    by: AbstractBaseUser | None,
) -> Calendar:
    """Make a calendar, or change one, with all of its days. Raises InvalidCalendar."""
    fields: dict[str, list[str]] = {}
    if not name.strip():
        fields["name"] = ["A calendar needs a name."]
    elif Calendar.objects.filter(name=name).exclude(pk=calendar.pk if calendar else 0).exists():
        fields["name"] = ["There is a calendar of this name already."]
    if any(each.last_day < each.first_day for each in days):
        fields["days"] = ["The last day must not come before the first."]
    if fields:
        raise InvalidCalendar(fields)
    with transaction.atomic():
        action = audit.CHANGE if calendar else audit.ADDITION
        row = calendar or Calendar()
        row.name, row.description = name, description
        row.save()
        row.days.all().delete()
        CalendarDays.objects.bulk_create([CalendarDays(calendar=row, **vars(each)) for each in days])
        audit.record(by, row, f"Calendar {name}: {len(days)} entries.", action=action)
    return row


def remove(calendar: Calendar, *, by: AbstractBaseUser | None) -> None:
    """Delete a calendar; the schedules that name it have slots on its days from now on."""
    with transaction.atomic():
        audit.record(by, calendar, f"Deleted calendar {calendar.name}.", action=audit.DELETION)
        calendar.delete()
