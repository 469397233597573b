"""`manage.py schedules simulate`: its arguments and what it prints, line by line while it goes."""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from jobs import simulation
from jobs.management.base import WRONG_USE
from jobs.simulation import Firing, Totals

#: So many of the fullest minutes and of the hours are told in words; JSON has all hours.
SHOWN_MINUTES = 5
_DAY = timedelta(days=1)


def add_arguments(parser: CommandParser) -> None:
    """The arguments of the verb."""
    parser.add_argument(
        "--from", dest="after", type=moment, metavar="MOMENT", help="from when on, in UTC; now if not given"
    )
    parser.add_argument(
        "--to",
        dest="until",
        type=moment,
        metavar="MOMENT",
        help="until before when, in UTC; a day later if not given",
    )
    parser.add_argument("--job", help="only schedules of this job")
    parser.add_argument("--schedule", metavar="NAME", help="only this schedule")
    parser.add_argument("--totals", action="store_true", help="only the totals, not every slot")
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line, the last one with the totals"
    )


def run(options: dict[str, Any], *, write: Callable[[str], object]) -> None:
    """Print the slots and the totals. Raises CommandError for wrong use."""
    after: datetime = options["after"] or timezone.now()
    until: datetime = options["until"] or after + _DAY
    if until <= after:
        raise CommandError("--to must come after --from.", returncode=WRONG_USE)
    schedules = simulation.all_schedules()
    if options["schedule"] is not None:
        schedules = [schedule for schedule in schedules if schedule.name == options["schedule"]]
        if not schedules:
            name = options["schedule"][:80]
            raise CommandError(f"There is no schedule named {name!r}.", returncode=WRONG_USE)
    if options["job"] is not None:
        schedules = [schedule for schedule in schedules if schedule.task == options["job"]]
    totals = Totals()
    show = None if options["totals"] else (_as_json if options["json"] else _in_words)
    for firing in simulation.simulate(schedules, after=after, until=until):
        totals.add(firing)
        if show is not None:
            write(show(firing))
    for line in _totals_as_json(totals) if options["json"] else _totals_in_words(totals):
        write(line)


def moment(text: str) -> datetime:
    """A date or a moment; without an offset in UTC."""
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)) is not None:
            found = datetime(day.year, day.month, day.day)
    except ValueError:
        found = None
    if found is None:
        raise argparse.ArgumentTypeError("use a date or a moment, such as 2027-01-31 or 2027-01-31T09:00")
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def _in_words(firing: Firing) -> str:
    line = f"{firing.at:%Y-%m-%d %H:%M:%S}  {firing.outcome:<7}  {firing.schedule}"
    if firing.outcome == "late" and firing.starts_at is not None:
        line += f"  starts {firing.starts_at:%Y-%m-%d %H:%M:%S}"
    return f"{line}  {firing.reason}".rstrip()


def _as_json(firing: Firing) -> str:
    return json.dumps(
        {
            "at": firing.at.isoformat(),
            "schedule": firing.schedule,
            "job": firing.job,
            "outcome": firing.outcome,
            "starts_at": firing.starts_at.isoformat() if firing.starts_at else None,
            "reason": firing.reason,
        }
    )


def _totals_in_words(totals: Totals) -> list[str]:
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(totals.by_outcome.items()))
    lines = [f"{totals.slots:,} slots" + (f": {outcomes}." if outcomes else ".")]
    if totals.by_hour:
        hour, most = max(totals.by_hour.items(), key=lambda item: (item[1], -item[0].timestamp()))
        lines.append(f"Fullest hour: {hour:%Y-%m-%d %H}:00 UTC with {most:,} starts.")
        minutes = totals.fullest_minutes(SHOWN_MINUTES)
        told = ", ".join(f"{minute:%Y-%m-%d %H:%M} ({count:,})" for minute, count in minutes)
        lines.append(f"Fullest minutes: {told}.")
    return lines


def _totals_as_json(totals: Totals) -> list[str]:
    shown = {
        "slots": totals.slots,
        "by_outcome": totals.by_outcome,
        "by_hour": {hour.isoformat(): count for hour, count in sorted(totals.by_hour.items())},
        "fullest_minutes": {
            minute.isoformat(): count for minute, count in totals.fullest_minutes(SHOWN_MINUTES)
        },
    }
    return [json.dumps({"totals": shown})]
