"""The keys of a checkout that was given none: random, kept in private files, the same for every process."""

import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from config.embedded import EmbeddedError
from config.embedded.places import make_private


def of_checkout(root: Path) -> str:
    """The key in `.almanac/secret_key`, made at the first call. ImproperlyConfigured when it cannot be."""
    return _kept(root, "secret_key", "SECRET_KEY", lambda: secrets.token_urlsafe(50))


def for_secrets_of_checkout(root: Path) -> str:
    """The key in `.almanac/secrets_key` that stored secrets are encrypted with; like `of_checkout`."""
    return _kept(
        root, "secrets_key", "SECRETS_KEYS", lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode()
    )


def _kept(root: Path, name: str, setting: str, make: Callable[[], str]) -> str:
    path = root / ".almanac" / name
    try:
        if not path.exists():
            _write(path, make())
        return path.read_text()
    except (OSError, EmbeddedError) as error:
        raise ImproperlyConfigured(f"Set {setting}: {path} cannot be used ({error}).") from error


def _write(path: Path, key: str) -> None:
    """Appear whole or not at all: two processes may start at once, and both must end with the same key."""
    make_private(path.parent, (os.geteuid(), os.getegid()))
    partial = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    partial.touch(mode=0o600, exist_ok=False)
    partial.write_text(key)
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        return
    finally:
        partial.unlink()
