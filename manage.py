#!/usr/bin/env python
"""Django's command line for Almanac."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Bad settings and stopped servers end in one sentence; `--traceback` shows the rest."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    try:
        execute_from_command_line(sys.argv)
    except Exception as error:
        sentence = str(error) if isinstance(error, ImproperlyConfigured) else explain(error)
        if sentence is None or "--traceback" in sys.argv:
            raise
        sys.exit(sentence)


def explain(error: Exception) -> str | None:
    from config.unreachable import explain  # what it needs can be imported only with good settings

    return explain(error)


if __name__ == "__main__":
    main()
