"""`manage.py schedules`: what is scheduled, when it will fire, and whether code and database agree."""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from jobs import backfill, inspection, schedules, stock, sync
from jobs.management import simulation
from jobs.management.base import FAILED, WRONG_USE, PlainCommand
from jobs.models import Schedule
from jobs.timing import (
    RELATED,
    Crontab,
    Interval,
    InvalidTiming,
    Timing,
    describe,
    dst_warnings,
    parse_interval,
    preview,
    timing_of,
    zone_of,
)


class Command(PlainCommand):
    """Look at schedules and bring those that jobs declare into the database.

    Exit codes: 0, of `drift` 1 when code and database differ or a schedule cannot run, 2 for wrong use.
    """

    help = "List and preview schedules; synchronise and compare them with what jobs declare."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|preview|backfill|simulate|sync|drift|import"
        )
        verbs.add_parser("list", help="every schedule with its timing, next slot and state")
        shown = verbs.add_parser("preview", help="the next slots of a schedule, or of a timing to try")
        subject = shown.add_mutually_exclusive_group(required=True)
        subject.add_argument("name", nargs="?", help="the schedule's name")
        subject.add_argument("--cron", metavar="EXPRESSION", help="five fields or an alias, such as '@daily'")
        subject.add_argument("--every", metavar="INTERVAL", help="such as '15 minutes', counted from now")
        shown.add_argument(
            "--tz", metavar="ZONE", help="the zone of --cron (UTC if not given), or to show local times in"
        )
        shown.add_argument("--count", type=_count, default=10, metavar="N", help="how many slots, 1 to 1000")
        simulation.add_arguments(
            verbs.add_parser("simulate", help="every slot between two moments, with what becomes of it")
        )
        verbs.add_parser("sync", help="bring the schedules that jobs declare into the database")
        verbs.add_parser(
            "drift", help="where code and database differ, and schedules that cannot run; exit code 1 if any"
        )
        filled = verbs.add_parser("backfill", help="run slots of a span that has passed, after all or again")
        filled.add_argument("name", help="the schedule's name")
        filled.add_argument(
            "--from", dest="start", type=simulation.moment, required=True, metavar="MOMENT", help="in UTC"
        )
        filled.add_argument(
            "--to", dest="end", type=simulation.moment, metavar="MOMENT", help="before when; now if not given"
        )
        filled.add_argument(
            "--which",
            choices=backfill.Which.values,
            default=backfill.Which.NEVER_RAN.value,
            help="which slots: those that never ran (if not given), also those that failed, or all",
        )
        filled.add_argument("--dry-run", action="store_true", help="only tell what would run")
        imported = verbs.add_parser(
            "import",
            help="report what behaves otherwise for rows made for stock beat; rewrite what can be kept",
        )
        imported.add_argument("--dry-run", action="store_true", help="only report")
        imported.add_argument("--json", action="store_true", help="the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        verb = getattr(self, f"_{options['verb']}")
        code = verb(options)
        if code:
            sys.exit(code)

    def _list(self, options: dict[str, Any]) -> int:
        now = timezone.now()
        rows = [_row(schedule, now) for schedule in _all_schedules().order_by("name")]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.stdout.write("  ".join([*cells, row[3]]).rstrip())
        return 0

    def _preview(self, options: dict[str, Any]) -> int:
        now = timezone.now()
        timing = _timing(options, now)
        zone = zone_of(options["tz"]) if options["tz"] else timing.zone
        self.stdout.write(describe(timing))
        slots = preview(timing, now, options["count"], zone=zone)
        for slot in slots:
            local, utc = f"{slot.local:%a %d %b %Y %H:%M:%S %Z}", f"{slot.utc:%Y-%m-%d %H:%M:%S} UTC"
            self.stdout.write(f"  {local:<30}  {utc}  {slot.note}".rstrip())
        if not slots:
            self.stdout.write("  It never fires again.")
        for warning in dst_warnings(timing, now):
            self.stderr.write(f"Mind the clocks: {warning.text}")
        return 0

    def _simulate(self, options: dict[str, Any]) -> int:
        simulation.run(options, write=self.stdout.write)
        return 0

    def _sync(self, options: dict[str, Any]) -> int:
        written = sync.sync_schedules()
        for name in written:
            self.stdout.write(name)
        self.stdout.write(f"{len(written)} written." if written else "Nothing to do.")
        return 0

    def _drift(self, options: dict[str, Any]) -> int:
        found = sync.drift()
        for difference in found:
            in_code, in_database = difference.in_code or "nothing", difference.in_database or "nothing"
            self.stdout.write(
                f"{difference.name}: {difference.kind}; code has {in_code}, the database has {in_database}"
            )
        broken = [*inspection.misfits(), *inspection.orphans()]
        for one in broken:
            self.stdout.write(f"{one.name}: {one.job}: {one.reason}")
        if not found and not broken:
            self.stdout.write("Code and database agree.")
        return FAILED if found or broken else 0

    def _backfill(self, options: dict[str, Any]) -> int:
        now = timezone.now()
        schedule = Schedule.objects.filter(name=options["name"]).first()
        if schedule is None:
            raise CommandError(f"There is no schedule named {options['name'][:80]!r}.", returncode=WRONG_USE)
        span = {
            "start": options["start"],
            "end": options["end"] or now,
            "which": options["which"],
            "now": now,
        }
        plan = backfill.plan(schedule, **span)
        for status, count in sorted(plan.found.items()):
            self.stdout.write(f"{count:>7,}  {status}")
        if options["dry_run"]:
            self.stdout.write(f"{plan.count:,} would run.")
        else:
            made = backfill.carry_out(schedule, **span, by=None)
            self.stdout.write(f"{len(made):,} runs made.")
        return 0

    def _import(self, options: dict[str, Any]) -> int:
        reports = stock.report(stock.stock_schedules(), timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([asdict(one) for one in reports], indent=2))
        else:
            self._tell(reports)
        if options["dry_run"]:
            return 0
        rewritten = [one for one in reports if stock.adopt(one, by=None)]
        for one in rewritten:
            self.stderr.write(f"Rewritten: {one.name} is {one.rewrite} now.")
        self.stderr.write(f"{len(rewritten)} of {len(reports)} schedules rewritten.")
        return 0

    def _tell(self, reports: list[stock.Report]) -> None:
        for one in reports:
            if one.findings:
                self.stdout.write(one.name)
            for finding in one.findings:
                sign = "!" if finding.weight == "attention" else "-"
                self.stdout.write(f"  {sign} {finding.text}")
        attention = sum(one.needs_attention for one in reports)
        self.stdout.write(f"{len(reports)} schedules that no job declares, {attention} need attention (!).")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError("use a number from 1 to 1000")
    return int(text)


def _all_schedules() -> Any:
    return Schedule.objects.select_related("policy", *RELATED)


def _row(schedule: Schedule, now: datetime) -> tuple[str, str, str, str]:
    """Name, timing, next slot and state of a schedule, as text."""
    policy = schedule.policy
    try:
        timing = describe(timing_of(schedule, anchor=policy.anchor_at or now))
    except InvalidTiming as error:
        return schedule.name, "", "", f"unreadable: {error}"
    slot = policy.next_slot_at if schedule.enabled and not policy.is_stale else None
    return schedule.name, timing, f"{slot:%Y-%m-%d %H:%M:%S} UTC" if slot else "-", _state(schedule, now)


def _state(schedule: Schedule, now: datetime) -> str:
    policy = schedule.policy
    if schedules.is_orphan(schedule):
        return f"orphaned: no task is named {schedule.task}"
    if not schedule.enabled:
        return "disabled"
    if policy.is_paused(now):
        until = f" until {policy.paused_until:%Y-%m-%d %H:%M} UTC" if policy.paused_until else ""
        return f"paused{until}" + (f": {policy.pause_note}" if policy.pause_note else "")
    return "waits for the scheduler" if policy.is_stale else ""


def _timing(options: dict[str, Any], now: datetime) -> Timing:
    if options["cron"] is not None:
        return Crontab.of(options["cron"], options["tz"] or "UTC")
    if options["every"] is not None:
        return Interval(*parse_interval(options["every"]), anchor=now)
    schedule = _all_schedules().filter(name=options["name"]).first()
    if schedule is None:
        raise CommandError(f"There is no schedule named {options['name'][:80]!r}.", returncode=WRONG_USE)
    return timing_of(schedule, anchor=schedule.policy.anchor_at or now)
