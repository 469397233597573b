"""`manage.py knowledge`: update, search, ask, evaluate, export and configure from the terminal."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from jobs.management import waiting
from jobs.management.base import FAILED, WRONG_USE, PlainCommand
from jobs.models import JobRun
from knowledge import citing, configuration, evaluation, statistics, topics, updates
from knowledge.connectors import kinds
from knowledge.errors import InvalidConfiguration, KnowledgeError
from knowledge.management import finding
from knowledge.management.base import as_json, number, told
from knowledge.models import Paper
from knowledge.search.engine import Mode


class Command(PlainCommand):
    """Work with what is known.

    Exit codes: 0 it went well, 1 it did not (also: there is no answer to a question), 2 wrong use; of `update --wait`
    also 3 for an update that partly failed, 124 when --timeout was over first and 130 after Ctrl-C.
    """

    help = "Update, search, ask, evaluate, export and configure what is known."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(
            dest="verb",
            required=True,
            metavar="update|search|ask|evaluate|export|configure|statistics",
        )
        update = verbs.add_parser("update", help="look for new papers now")
        update.add_argument(
            "topics", nargs="*", metavar="TOPIC", help="names; none: all of the nightly update"
        )
        update.add_argument("--papers", type=number(1, topics.MOST_PAPERS_PER_TOPIC), metavar="N")
        update.add_argument("--days", type=number(1, topics.MOST_DAYS_BACK), metavar="N", help="how far back")
        update.add_argument("--wait", action="store_true", help="show progress until it ends")
        update.add_argument("--timeout", type=float, metavar="SECONDS", help="with --wait: give up watching")
        finding.add_search(verbs.add_parser("search", help="search papers and documents"))
        finding.add_ask(verbs.add_parser("ask", help="ask a question; the answer cites what it stands on"))
        judge = verbs.add_parser(
            "evaluate", help="ask all enabled judged queries, and keep how the search did"
        )
        judge.add_argument("--mode", choices=[mode.value for mode in Mode], default=Mode.HYBRID.value)
        judge.add_argument("--top-k", type=number(1, evaluation.MOST_RESULTS), default=10, metavar="N")
        judge.add_argument("--json", action="store_true", help="for programs, with each query")
        export = verbs.add_parser("export", help="write papers to a file")
        export.add_argument("--format", choices=citing.KINDS, default="jsonl")
        export.add_argument("--output", type=Path, metavar="FILE", help="else to the terminal")
        export.add_argument("--topic", metavar="NAME", help="only papers that were found for it")
        export.add_argument("--source", choices=kinds(), help="only papers that it gave")
        export.add_argument("--year-from", type=number(0, 9999), metavar="YEAR")
        export.add_argument("--with-retracted", action="store_true", help="retracted papers, too")
        configure = verbs.add_parser(
            "configure", help="bring in topics, sources and settings of a file, each once"
        )
        configure.add_argument("file", nargs="?", type=Path, help="else that of KNOWLEDGE_CONFIG")
        numbers = verbs.add_parser("statistics", help="what is in the index")
        numbers.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            code = getattr(self, f"_{options['verb']}")(options)
        except updates.UnknownTopic as error:
            raise CommandError(str(error), returncode=WRONG_USE) from error
        except KnowledgeError as error:
            raise told(error) from error
        if code:
            sys.exit(code)

    def _update(self, options: dict[str, Any]) -> int:
        chosen = updates.chosen(options["topics"]) if options["topics"] else []
        run = topics.run(
            chosen,
            papers_per_topic=options["papers"],
            days_back=options["days"],
            by=None,
            trigger=JobRun.Trigger.COMMAND,
        )
        if not options["wait"]:
            self.stdout.write(str(run.id))
            return 0
        return waiting.watch(run, out=self.stdout, err=self.stderr, timeout=options["timeout"])

    def _search(self, options: dict[str, Any]) -> int:
        return finding.carry_out_search(self.stdout, options)

    def _ask(self, options: dict[str, Any]) -> int:
        return finding.carry_out_ask(self.stdout, self.stderr, options)

    def _evaluate(self, options: dict[str, Any]) -> int:
        kept = evaluation.evaluate(top_k=options["top_k"], mode=Mode(options["mode"]))
        figures = {"hit_rate": kept.hit_rate, "ndcg": kept.ndcg, "recall": kept.recall}
        if options["json"]:
            details = {"id": kept.pk, "queries": kept.queries, "model": kept.model, "details": kept.details}
            self.stdout.write(as_json({**figures, **details}))
            return 0
        self.stdout.write(f"{kept.queries} queries, the first {kept.top_k} results of each.")
        for name, value in figures.items():
            self.stdout.write(f"  {name:<9} {'-' if value is None else f'{value:.3f}'}")
        return 0

    def _export(self, options: dict[str, Any]) -> int:
        papers = Paper.objects.all() if options["with_retracted"] else Paper.objects.standing()
        if options["topic"] is not None:
            papers = papers.filter(findings__topic__in=updates.chosen([options["topic"]]))
        if options["source"] is not None:
            papers = papers.filter(sources__contains=[options["source"]])
        if options["year_from"] is not None:
            papers = papers.filter(year__gte=options["year_from"])
        written = citing.papers_as(options["format"], papers)
        if options["output"] is None:
            for text in written:
                self.stdout.write(text, ending="")
            return 0
        try:
            with options["output"].open("w", encoding="utf-8", newline="") as file:
                file.writelines(written)
        except OSError as error:
            raise CommandError(f"{options['output']}: {error.strerror}", returncode=FAILED) from error
        self.stdout.write(f"Wrote {papers.count():,} papers to {options['output']}.")
        return 0

    def _configure(self, options: dict[str, Any]) -> int:
        try:
            self.stdout.write(str(configuration.load(options["file"])))
        except InvalidConfiguration as error:
            raise CommandError(" ".join(str(error).split()), returncode=WRONG_USE) from error
        return 0

    def _statistics(self, options: dict[str, Any]) -> int:
        found = statistics.summary()
        found["vectors"] = [vars(model) for model in found["vectors"]]
        if options["json"]:
            self.stdout.write(as_json(found))
            return 0
        for name, value in found.items():
            self.stdout.write(f"{name.replace('_', ' '):<20} {_shown(value)}")
        return 0


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name or '(none)'}: {_shown(part)}" for name, part in value.items()) or "-"
    if isinstance(value, list):
        return "; ".join(_shown(part) for part in value) or "-"
    return "-" if value is None else f"{value:,}" if isinstance(value, (int, float)) else str(value)
