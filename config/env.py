"""Typed reading of the environment: the only place that touches `os.environ` for settings.

Every reader takes the variable's name and a default. `NAME_FILE` may name a file that holds the value, so
that secrets can be mounted instead of exported; setting both is refused.
"""

import math
import os
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The variable's value, or the content of the file that `NAME_FILE` points to."""
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return os.environ.get(name, default)
    if name in os.environ:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE: cannot read {path}: {error.strerror}.") from error


def required(name: str) -> str:
    """Like `text`, but refuses to go on without a value."""
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} must be set.")
    return value


def secret(name: str, minimum_length: int = 50) -> str:
    """A required value that nobody guesses: long, and not a few characters repeated."""
    value = required(name)
    if len(value) < minimum_length or len(set(value)) < 10 or value.startswith("django-insecure-"):
        raise ImproperlyConfigured(
            f"{name} is too weak: it needs at least {minimum_length} random characters; make one with "
            """`python -c "import secrets; print(secrets.token_urlsafe(50))"`."""
        )
    return value


def flag(name: str, default: bool = False) -> bool:
    """A yes or no: 1/true/yes/on or 0/false/no/off."""
    value = text(name, "1" if default else "0").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} must be one of 1, true, yes, on, 0, false, no, off; it is {value!r}.")


def choice(name: str, default: str, options: Sequence[str]) -> str:
    """One of a few words."""
    value = text(name, default)
    if value not in options:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(options)}; it is {value!r}.")
    return value


def integer(name: str, default: int) -> int:
    """A whole number, zero or more."""
    value = text(name, str(default)).strip()
    if not (value.isascii() and value.isdecimal()):
        raise ImproperlyConfigured(f"{name} must be a whole number; it is {value!r}.")
    return int(value)


def seconds(name: str, default: float) -> float:
    """A duration in seconds, larger than zero."""
    value = text(name, str(default))
    try:
        number = float(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must be a number of seconds; it is {value!r}.") from error
    if not 0 < number < math.inf:
        raise ImproperlyConfigured(f"{name} must be more than 0 seconds, and finite; it is {value!r}.")
    return number


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, blanks stripped, empty parts dropped."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def prices(name: str) -> dict[str, tuple[Decimal, ...]]:
    """A table of prices, one an entry or line: `model=in/out` or `model=in/out/cached`, none of them negative."""
    table: dict[str, tuple[Decimal, ...]] = {}
    for entry in re.split(r"[,\n]", text(name)):
        model, _, amounts = (part.strip() for part in entry.rpartition("="))
        if not entry.strip():
            continue
        try:
            price = tuple(Decimal(amount.strip()) for amount in amounts.split("/"))
        except InvalidOperation:
            price = ()
        if not model or len(price) not in {2, 3} or not all(p.is_finite() and p >= 0 for p in price):
            raise ImproperlyConfigured(
                f"{name}: {entry.strip()!r} must be like model=0.25/2, US dollars for a million tokens in and out."
            )
        table[model] = price
    return table


def host_and_port(name: str) -> str:
    """The `host:port` of an http(s) URL, the port spelt out."""
    parts = urlsplit(text(name))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImproperlyConfigured(f"{name} must be an address such as http://127.0.0.1:8000.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def database(url: str) -> dict[str, object]:
    """Django's settings for one `postgresql://user:password@host:port/name?option=value` URL.

    A unix socket's folder goes in the query: `postgresql:///almanac?host=/run/postgresql&user=almanac`.
    Special characters in a part are percent-encoded.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL is not a valid URL ({error}); percent-encode special characters in the password."
        ) from error
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL must start with postgresql://; it starts with {parts.scheme!r}."
        )
    name = unquote(parts.path.lstrip("/"))
    if not name or parts.fragment:
        raise ImproperlyConfigured(
            "DATABASE_URL must name a database: postgresql://user:password@host:5432/name, with special characters "
            "percent-encoded."
        )
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": options.pop("user", unquote(parts.username or "")),
        "PASSWORD": options.pop("password", unquote(parts.password or "")),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": options.pop("port", str(port or "")),
        "OPTIONS": options,
    }


def numbered_broker(url: str, number: int) -> str:
    """The same Redis or Valkey, with another database number."""
    parts = urlsplit(url)
    if not parts.scheme.endswith("+socket"):
        return parts._replace(path=f"/{number}").geturl()
    query = dict(parse_qsl(parts.query)) | {"virtual_host": str(number)}
    return f"{parts.scheme}://{parts.path}?{urlencode(query)}"
