"""Bring the database up to date before anything serves: tables, schedules, topics, the sample world."""

import os
import sys
import time

import django
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.utils import OperationalError

from config.unreachable import explain


def main() -> int:
    """0 when all is up to date; 1 with one sentence when it cannot be."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    django.setup()
    begun = time.monotonic()
    try:
        prepare()
    except CommandError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OperationalError as error:
        sentence = explain(error)
        if sentence is None:
            raise
        sys.stderr.write(f"{sentence}\n")
        return 1
    sys.stdout.write(f"Database is up to date ({time.monotonic() - begun:.1f} s).\n")
    return 0


def prepare() -> None:
    """Every step may be repeated at each start and changes nothing the second time."""
    call_command("migrate", verbosity=0, interactive=False)
    call_command("schedules", "sync")
    call_command("knowledge", "configure")
    if settings.SAMPLE_WORLD_URL:
        call_command("load_sample_world")
        call_command("load_sample_guidelines")


if __name__ == "__main__":
    sys.exit(main())
