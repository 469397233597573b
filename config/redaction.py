"""Taking secrets out of text that is about to be written down."""

import re
from functools import cache
from typing import Any

from django.conf import settings

HIDDEN = "[hidden]"
_NAMES = r"authorization|cookie|passw(?:or)?d|secret|token|api[_-]?key|credential|signature"
_SECRET_NAME = re.compile(_NAMES, re.IGNORECASE)
_PATTERNS = (
    # ://user:password@host
    (re.compile(r"(://[^\s:/@]*:)[^\s/@]+(@)"), rf"\1{HIDDEN}\2"),
    # Authorization: Bearer abc
    (re.compile(r"\b(Bearer|Basic|Token|Api-?Key)\s+[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # password=abc, "api_key": "abc def"
    (
        re.compile(
            rf"""((?:[\w-]*(?:{_NAMES})[\w-]*)["']?\s*[:=]\s*)(?!\[hidden\]|Bearer|Basic|Api-?Key)("[^"]*"|'[^']*'|[^\s"',;&)}}]+)""",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)
_SECRET_SETTING = re.compile(r"(^|_)(SECRET|TOKEN|PASSWORD|KEYS?|KEY_FALLBACKS)$")
#: Shorter values would hide words that only happen to be the same.
_SHORTEST = 8


def redact(text: str) -> str:
    """The text without passwords in URLs, tokens, values of names that sound secret, and our own secrets."""
    for secret in _our_secrets():
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_value(name: str, value: Any) -> Any:
    """The same for a named value of a structured record."""
    if not isinstance(value, str):
        return value
    return HIDDEN if _SECRET_NAME.search(name) else redact(value)


def _our_secrets() -> tuple[str, ...]:
    # While settings are being read they cannot be asked for.
    return _secret_settings() if settings.configured else ()


@cache
def _secret_settings() -> tuple[str, ...]:
    values = [getattr(settings, name) for name in dir(settings) if _SECRET_SETTING.search(name)]
    values += [database.get("PASSWORD") for database in settings.DATABASES.values()]
    flat = [item for value in values for item in (value if isinstance(value, (list, tuple)) else [value])]
    texts = {
        value for value in flat if isinstance(value, str) and len(value) >= _SHORTEST and " " not in value
    }
    return tuple(sorted(texts, key=len, reverse=True))
