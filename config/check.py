"""`make check`: system checks, missing migrations, and the production settings with a proper environment."""

import os
import secrets
import subprocess
import sys
from base64 import urlsafe_b64encode
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """0 when all is clean; the first check that fails ends it with its own code."""
    production = {
        "DJANGO_SETTINGS_MODULE": "config.settings.prod",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "SECRETS_KEYS": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "ALLOWED_HOSTS": "almanac.example.org",
        "DATABASE_URL": "postgresql://almanac@db.example.org/almanac",
        "BROKER_URL": "redis://broker.example.org",
    }
    development = {"DJANGO_SETTINGS_MODULE": "config.settings.dev"}
    # Without a running database `makemigrations --check` only warns that it cannot compare histories.
    for environment, command in (
        (development, ["check", "--fail-level", "WARNING"]),
        (development, ["makemigrations", "--check", "--dry-run"]),
        (production, ["check", "--deploy", "--fail-level", "WARNING"]),
    ):
        done = subprocess.run(  # noqa: S603 - our own commands
            [sys.executable, "-W", "ignore::RuntimeWarning", "manage.py", *command],
            cwd=ROOT,
            env=os.environ | environment,
            check=False,
        )
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
