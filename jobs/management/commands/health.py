"""`manage.py health`: whether everything that jobs need is there."""

import sys
from typing import Any

from django.core.management.base import CommandParser

from jobs.health import Monitor, Status
from jobs.management.base import PlainCommand

_EXIT_CODES = {Status.HEALTHY: 0, Status.DEGRADED: 1, Status.UNHEALTHY: 2}


class Command(PlainCommand):
    """Exit codes: 0 healthy, 1 degraded (works in part), 2 unhealthy."""

    help = "Look at database, broker, workers and scheduler. Exits 0 healthy, 1 degraded, 2 unhealthy."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--verbose", action="store_true", help="show each part")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Monitor().look()
        self.stdout.write(found.status.value)
        for check in found.checks:
            if options["verbose"] or check.status != Status.HEALTHY:
                self.stdout.write(f"  {check.name:<9}  {check.status.value:<9}  {check.message}")
        if code := _EXIT_CODES[found.status]:
            sys.exit(code)
