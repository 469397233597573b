"""The secret key of a checkout that was given none: random, kept in a private file, the same for every process."""

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.embedded import EmbeddedError
from config.embedded.places import make_private


def of_checkout(root: Path) -> str:
    """The key in `.almanac/secret_key`, made at the first call. ImproperlyConfigured when it cannot be."""
    path = root / ".almanac" / "secret_key"
    try:
        if not path.exists():
            _make(path)
        return path.read_text()
    except (OSError, EmbeddedError) as error:
        raise ImproperlyConfigured(f"Set SECRET_KEY: {path} cannot be used ({error}).") from error


def _make(path: Path) -> None:
    """Appear whole or not at all: two processes may start at once, and both must end with the same key."""
    make_private(path.parent, (os.geteuid(), os.getegid()))
    partial = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    partial.touch(mode=0o600, exist_ok=False)
    partial.write_text(secrets.token_urlsafe(50))
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        return
    finally:
        partial.unlink()
