"""What our commands have in common: an error is an exit code and one line on stderr."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, OperationalError

from jobs.errors import JobsError

#: Exit codes beside 0.
FAILED = 1
WRONG_USE = 2
PARTIAL = 3
STILL_ACTIVE = 124
INTERRUPTED = 130


class PlainCommand(BaseCommand):
    """A command whose refusals and outages are told in one line."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except JobsError as error:
            raise CommandError(_one_line(error), returncode=WRONG_USE) from error
        except OperationalError as error:
            raise CommandError(
                f"The database does not answer: {_one_line(error)}", returncode=WRONG_USE
            ) from error
        except DatabaseError as error:
            raise CommandError(f"The database refuses: {_one_line(error)}", returncode=WRONG_USE) from error


def run_id(text: str) -> uuid.UUID:
    """A run's id as typed; raises CommandError."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise CommandError(f"{text[:80]!r} is not the id of a run.", returncode=WRONG_USE) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
