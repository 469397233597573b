"""Ask a real service once, and show what it understood and gave."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge import connectors, rates
from knowledge.connectors import Query, Window
from knowledge.errors import ConnectorError
from knowledge.rates import Attendance


class Command(BaseCommand):
    help = "Ask a source of papers as topics do: the translated query, the number of hits, and the first few papers. Stores nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("connector", choices=connectors.kinds())
        parser.add_argument("query", help="words, or the source's own syntax")
        parser.add_argument("--days", type=int, default=7, help="how far back; 0: all times")
        parser.add_argument("--max", type=int, default=3, help="how many papers to show")
        parser.add_argument("--by", choices=["entered", "revised", "published"], default="entered")
        parser.add_argument(
            "--release", action="store_true", help="first end the hold of a service that was too busy"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        connector = connectors.get(options["connector"])
        since = datetime.now(UTC).date() - timedelta(days=options["days"])
        window = Window(since, by=options["by"]) if options["days"] else None
        query = Query(options["query"], window, max_results=options["max"])
        attendance = Attendance(tell=lambda sentence: self.stderr.write(sentence))
        if options["release"]:
            rates.release(connector.kind)
        for warning in connector.warnings():
            self.stderr.write(self.style.WARNING(warning))
        try:
            self._show(connector, query, attendance)
        except ConnectorError as error:
            raise CommandError(f"{type(error).__name__}: {error}") from error

    def _show(self, connector: connectors.Connector, query: Query, attendance: Attendance) -> None:
        preview = connector.preview(query, attendance)
        self.stdout.write(f"Query: {preview.translated}\nHits:  {preview.hits:,}")
        for warning in preview.warnings:
            self.stderr.write(self.style.WARNING(warning))
        for batch in connector.batches(query, attendance=attendance):
            for record in batch.records:
                retracted = "RETRACTED " if record.is_retracted else ""
                names = ", ".join(author.short_name for author in record.authors[:3])
                self.stdout.write(
                    f"\n{retracted}{record.title}\n  {names} · {record.published} · {record.url}"
                )
                self.stdout.write(f"  {record.abstract_text[:200] or '(no abstract)'}")
            for problem in batch.problems:
                self.stderr.write(f"{problem.source_id}: {problem.reason}")
