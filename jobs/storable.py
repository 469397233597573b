"""What PostgreSQL can store: text without NUL and lone surrogates, JSON without NaN and infinities."""

import math
from typing import Any


def clean_text(text: str) -> str:
    """The text with each NUL replaced by U+FFFD, and each lone surrogate by a question mark."""
    text = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return text.encode(errors="replace").decode() if not text.isascii() else text


def clean_json(value: Any) -> Any:
    """The JSON value with its texts cleaned and its non-numbers (NaN, infinities) made null."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [clean_json(item) for item in value]
    return value
