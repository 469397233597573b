"""`manage.py jobs`: list jobs; run, watch and cancel them from the terminal."""

import json
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from jobs import delays, display, follow, history, ledger
from jobs.definitions import AnyJob, all_jobs, enqueue, get_job
from jobs.management import failures, waiting
from jobs.management.base import (
    INTERRUPTED,
    WRONG_USE,
    PlainCommand,
    run_id,
)
from jobs.management.progress import describe
from jobs.models import JobRun, RunLog


class Command(PlainCommand):
    """Run and watch jobs.

    Exit codes of `run --wait` and `status`: 0 succeeded (`status`: or still active), 1 failed or never ran,
    3 partly succeeded; of `run --wait` also 124 when --timeout was over first and 130 after Ctrl-C. Wrong use is 2.
    """

    help = "List, run, watch and cancel jobs."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb", required=True, metavar="list|run|status|cancel|tail|failures|retry"
        )
        verbs.add_parser("list", help="every job with its parameters")
        run = verbs.add_parser("run", help="run a job now")
        run.add_argument("name", help="the job's name")
        run.add_argument("parameters", nargs="*", metavar="key=value", help="parameters; values may be JSON")
        run.add_argument("--json", dest="document", metavar="OBJECT", help="all parameters as a JSON object")
        run.add_argument("--wait", action="store_true", help="show progress until the run ends")
        run.add_argument("--timeout", type=float, metavar="SECONDS", help="with --wait: give up watching")
        for verb, help_text in (
            ("status", "where a run stands"),
            ("cancel", "cancel a run"),
            ("tail", "a run's log, followed until the run ends"),
        ):
            verbs.add_parser(verb, help=help_text).add_argument("id", help="the run's id")
        failures.add_arguments(verbs)

    def handle(self, *args: Any, **options: Any) -> None:
        verb = getattr(self, f"_{options['verb']}")
        code = verb(options)
        if code:
            sys.exit(code)

    def _list(self, options: dict[str, Any]) -> int:
        jobs = all_jobs()
        width = max((len(job.name) for job in jobs), default=0)
        for job in jobs:
            self.stdout.write(f"{job.name:{width}}  {job.title} ({job.queue}){_signature(job)}")
        return 0

    def _run(self, options: dict[str, Any]) -> int:
        job = get_job(options["name"])
        run = enqueue(job, _parameters(job, options), trigger=JobRun.Trigger.COMMAND)
        if not options["wait"]:
            self.stdout.write(str(run.id))
            return 0
        self.stdout.write(f"{job.title}: run {run.id}")
        return waiting.watch(run, out=self.stdout, err=self.stderr, timeout=options["timeout"])

    def _status(self, options: dict[str, Any]) -> int:
        run = ledger.get(run_id(options["id"]))
        now = timezone.now()
        self.stdout.write(f"{run.job}: {describe(run, now, history.typical(run))}")
        for part in delays.of_run(run, now).parts:
            self.stdout.write(f"  {part.title:<20}  {display.duration(part.length):>11}  {part.sentence}")
        if run.is_active:
            return 0
        waiting.outcome(run, out=self.stdout, err=self.stderr)
        return waiting.exit_code(run)

    def _cancel(self, options: dict[str, Any]) -> int:
        run = ledger.cancel(run_id(options["id"]), by=None)
        if run.is_active:
            self.stdout.write("Asked the run to stop.")
        else:
            self.stdout.write("Cancelled.")
        return 0

    def _tail(self, options: dict[str, Any]) -> int:
        last = 0
        try:
            # One more look at the log after the end: its last lines are written with it.
            for run in follow.watch(run_id(options["id"])):
                for line in follow.logs(run.id, after=last):
                    last = line.pk
                    self.stdout.write(_log_line(line))
        except KeyboardInterrupt:
            return INTERRUPTED
        return 0

    def _failures(self, options: dict[str, Any]) -> int:
        return failures.show(self.stdout, options)

    def _retry(self, options: dict[str, Any]) -> int:
        return failures.retry(self.stdout, options)


def _parameters(job: AnyJob, options: dict[str, Any]) -> dict[str, Any]:
    given = options["parameters"]
    if options["document"] is None:
        return dict(_pair(job, text) for text in given)
    if given:
        raise CommandError("Give parameters as key=value or as --json, not both.", returncode=WRONG_USE)
    try:
        document = json.loads(options["document"])
    except (ValueError, RecursionError) as error:
        raise CommandError(f"--json is not valid JSON: {error}", returncode=WRONG_USE) from error
    if not isinstance(document, dict):
        raise CommandError("--json must be an object: a JSON text in braces.", returncode=WRONG_USE)
    return document


def _pair(job: AnyJob, text: str) -> tuple[str, Any]:
    """`key=value`, where the value is plain text for a text parameter and JSON, if it can be, for others."""
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"{text!r} is not key=value.", returncode=WRONG_USE)
    if "string" in _types(job.parameters.model_json_schema()["properties"].get(name, {})):
        return name, value
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def _types(schema: dict[str, Any]) -> set[str]:
    return {str(part.get("type")) for part in [schema, *schema.get("anyOf", [])]}


def _signature(job: AnyJob) -> str:
    schema = job.parameters.model_json_schema()
    required = schema.get("required", [])
    names = [name if name in required else f"[{name}]" for name in schema.get("properties", {})]
    return f": {' '.join(names)}" if names else ""


def _log_line(line: RunLog) -> str:
    level = dict(RunLog.Level.choices).get(line.level, line.level)
    return f"{line.at:%Y-%m-%d %H:%M:%S}  {level:<7}  {line.message}"
