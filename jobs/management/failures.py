"""`manage.py jobs failures` and `jobs retry`: failures by cause, and making them again."""

import json
from argparse import ArgumentTypeError, _SubParsersAction
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from jobs import display
from jobs.deadletters import causes, retrying
from jobs.deadletters.causes import Cause, State, Wanted
from jobs.deadletters.retrying import Plan, Wish
from jobs.management.base import FAILED, WRONG_USE, run_id

#: Causes that the list shows at most.
_MOST = 200


def add_arguments(verbs: "_SubParsersAction[Any]") -> None:
    """The two verbs with their options."""
    shown = verbs.add_parser("failures", help="failed and lost runs by cause")
    shown.add_argument("--state", choices=[*(state.value for state in State), "all"], default="open")
    shown.add_argument("--job", metavar="NAME", help="only those of this job")
    shown.add_argument("--days", type=_days, default=30, metavar="N", help="how far back (30 if not given)")
    again = verbs.add_parser("retry", help="make failed runs again, each once")
    again.add_argument("ids", nargs="*", metavar="ID", help="runs that failed")
    again.add_argument(
        "--fingerprint", metavar="PRINT", help="every failure of this cause, from `jobs failures`"
    )
    again.add_argument(
        "--set", action="append", default=[], metavar="KEY=JSON", help="a parameter to change in all"
    )
    again.add_argument("--per-minute", type=int, metavar="N", help="how many start in a minute (all at once)")
    again.add_argument("--dry-run", action="store_true", help="only tell what would run")


def show(out: OutputWrapper, options: dict[str, Any]) -> int:
    """List the causes, the latest first."""
    now = timezone.now()
    state = None if options["state"] == "all" else State(options["state"])
    wanted = Wanted(since=now - timedelta(days=options["days"]), until=now, state=state, job=options["job"])
    found = causes.find(wanted, limit=_MOST)
    for cause in found:
        out.write(_line(cause))
    if not found:
        out.write("None.")
    return 0


def _line(cause: Cause) -> str:
    last = display.relative(cause.last_seen, timezone.now())
    counts = f"{display.count(cause.failures, 'failure')}, {cause.open} open, {cause.recovered} recovered, last {last}"
    message = " ".join(cause.message.split())[:120]
    return f"{cause.fingerprint}  {cause.state.value:<8}  {cause.job}: {cause.error_type}: {message}\n    {counts}"


def retry(out: OutputWrapper, options: dict[str, Any]) -> int:
    """Make failures again, or tell what that would do; exit code 1 when some could not be."""
    wish = _wish(options)
    if wish.fingerprint is not None:
        causes.get(wish.fingerprint, window=timedelta(days=36_500))
    plan = retrying.plan(wish)
    if options["dry_run"]:
        out.write(f"Would make {display.count(len(plan.again), 'run')} again{_spread(plan)}.")
    else:
        done = retrying.carry_out(wish, by=None)
        out.write(f"Made {display.count(len(done.runs), 'run')} again{_spread(plan)}.")
    for text, number in plan.problems:
        out.write(f"  left out: {number} x {text}")
    if plan.already:
        out.write(f"  {plan.already} made again before.")
    if plan.has_more:
        out.write("  There are more of them: run this again.")
    return FAILED if plan.refused else 0


def _wish(options: dict[str, Any]) -> Wish:
    ids = [run_id(text) for text in options["ids"]]
    if not ids and not options["fingerprint"]:
        raise CommandError("Give the ids of runs, or --fingerprint.", returncode=WRONG_USE)
    return Wish(
        fingerprint=options["fingerprint"],
        run_ids=ids or None,
        overrides=dict(_pair(text) for text in options["set"]),
        per_minute=options["per_minute"],
    )


def _pair(text: str) -> tuple[str, Any]:
    """`key=value`; what is no JSON is text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"{text[:80]!r} is not KEY=JSON.", returncode=WRONG_USE)
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _spread(plan: Plan) -> str:
    return f", spread over {display.duration(plan.spread_seconds)}" if plan.spread_seconds else ""


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number of days") from None
    if not 0 < days <= 36_525:
        raise ArgumentTypeError("use more than 0 and at most 36525 days")
    return days
