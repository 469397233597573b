"""Which model is asked, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.conf import settings

from chat.errors import ChatRefused
from chat.usage import Price

#: Any model whose name begins like this; the longest that fits counts.
_ANY = "*"


@dataclass(frozen=True)
class Endpoint:
    """A model behind an address that speaks OpenAI's protocol."""

    #: Such as https://api.openai.com/v1; "chat/completions" comes behind it.
    base_url: str
    model: str
    #: "" for servers that want none.
    api_key: str = field(default="", repr=False)
    price: Price | None = None
    #: How long the model may say nothing, before its first word and between two.
    idle_seconds: float = 120.0
    #: How long an answer may take in all.
    total_seconds: float = 900.0
    #: How many tokens an answer may have; 0: as many as the server likes.
    max_tokens: int = 16_384

    @property
    def url(self) -> str:
        """Where completions are asked for."""
        return f"{self.base_url.rstrip('/')}/chat/completions"


def why_not() -> str:
    """Why no model can be asked here; "" if one can."""
    missing = [name for name in ("CHAT_BASE_URL", "CHAT_MODEL") if not getattr(settings, name)]
    return f"No model is set up: {' and '.join(missing)} must be set." if missing else ""


def configured() -> Endpoint:
    """The endpoint of the settings. Raises ChatRefused when there is none."""
    if reason := why_not():
        raise ChatRefused(reason)
    return Endpoint(
        base_url=settings.CHAT_BASE_URL,
        model=settings.CHAT_MODEL,
        api_key=settings.CHAT_API_KEY,
        price=price_of(settings.CHAT_MODEL, settings.CHAT_PRICES),
        idle_seconds=settings.CHAT_IDLE_SECONDS,
        total_seconds=settings.CHAT_TOTAL_SECONDS,
        max_tokens=settings.CHAT_MAX_TOKENS,
    )


def price_of(model: str, prices: Mapping[str, tuple[Decimal, ...]]) -> Price | None:
    """The price of a model by a table of names, or beginnings of names with a star: the closest entry counts."""
    fitting = [
        name for name in prices if name == model or (name.endswith(_ANY) and model.startswith(name[:-1]))
    ]
    if not fitting:
        return None
    return Price(*prices[max(fitting, key=lambda name: (name == model, len(name)))])
