"""`manage.py rotate_secrets`: seal every stored secret anew with the first of SECRETS_KEYS."""

from typing import Any

from django.core.management.base import CommandError

from jobs import secrets
from jobs.management.base import PARTIAL, PlainCommand


class Command(PlainCommand):
    """Put a new key in front of SECRETS_KEYS, run this, then take the old key away."""

    help = "Encrypt every stored secret anew with the first key of SECRETS_KEYS."

    def handle(self, *args: Any, **options: Any) -> None:
        outcomes = list(secrets.rotate())
        unreadable = [row for row, was_read in outcomes if not was_read]
        self.stdout.write(f"Sealed anew: {len(outcomes) - len(unreadable)}.")
        if unreadable:
            names = ", ".join(f"{row._meta.verbose_name} {row}" for row in unreadable)
            raise CommandError(f"No key opens the secrets of: {names}.", returncode=PARTIAL)
