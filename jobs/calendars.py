"""Calendars: the days on which schedules have no slots."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

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
