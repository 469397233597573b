from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from knowledge import configuration
from knowledge.errors import InvalidConfiguration


class Command(BaseCommand):
    help = (
        "Bring in the topics, sources and settings that knowledge begins with. "
        "May be repeated: each entry is loaded once, and what people changed or deleted stays so."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--file", type=Path, help="instead of the file of KNOWLEDGE_CONFIG")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            loaded = configuration.load(options["file"])
        except InvalidConfiguration as error:
            raise CommandError(str(error)) from error
        self.stdout.write(str(loaded))
