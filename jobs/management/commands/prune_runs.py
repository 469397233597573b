"""`manage.py prune_runs`: forget old runs."""

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from jobs import retention
from jobs.management.base import PlainCommand


class Command(PlainCommand):
    """Delete runs that ended long ago, with their logs and outcomes. Active runs always stay."""

    help = "Delete runs that ended more than so many days ago, with their logs and outcomes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=_days,
            default=timedelta(days=settings.JOBS_KEEP_RUNS_DAYS),
            metavar="DAYS",
            help=f"days since the run ended (default: {settings.JOBS_KEEP_RUNS_DAYS})",
        )
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        pruned = retention.prune(older_than=options["older_than"], dry_run=options["dry_run"])
        verb = "Would delete" if options["dry_run"] else "Deleted"
        self.stdout.write(
            f"{verb} {pruned.runs} runs, {pruned.logs} log lines and {pruned.results} task results."
        )


def _days(text: str) -> timedelta:
    """A number of days, at least 0."""
    try:
        days = timedelta(days=float(text))
    except (ValueError, OverflowError):
        raise ArgumentTypeError(f"{text!r} is not a number of days") from None
    if not timedelta() <= days <= timedelta(days=36525):
        raise ArgumentTypeError("use 0 to 36525 days")
    return days
