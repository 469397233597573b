"""What asking a model took, and what that costs."""

from dataclasses import dataclass, replace
from decimal import Decimal

#: Costs are rounded to a billionth of a dollar: less than one token of the cheapest models.
SMALLEST_COST = Decimal("1e-9")
_MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """What a model takes, in US dollars for a million tokens."""

    tokens_in: Decimal
    tokens_out: Decimal
    #: For the part of the prompt that the server had cached; None: the same as for the rest.
    tokens_cached: Decimal | None = None

    def of(self, tokens_in: int, tokens_out: int, tokens_cached: int = 0) -> Decimal:
        """The cost of a call, in US dollars; `tokens_cached` are part of `tokens_in`."""
        cached = self.tokens_in if self.tokens_cached is None else self.tokens_cached
        millionths = (
            (tokens_in - tokens_cached) * self.tokens_in
            + tokens_cached * cached
            + tokens_out * self.tokens_out
        )
        return (millionths / _MILLION).quantize(SMALLEST_COST)


@dataclass(frozen=True)
class Usage:
    """What one step took from a model; all zero for writers that ask none. Usages of one step can be added."""

    #: Name of the model that answered, or of the writer when there is none.
    model: str = ""
    #: The whole prompt, what was cached included.
    tokens_in: int = 0
    #: The whole answer; with it whatever the model thought and did not show.
    tokens_out: int = 0
    #: In US dollars; 0 when `price` is None, and then it says nothing.
    cost: Decimal = Decimal(0)
    #: How long the model took to answer.
    seconds: float = 0.0
    #: Those of `tokens_in` that the server had cached.
    tokens_cached: int = 0
    #: The price that `cost` was reckoned with; None when none is known.
    price: Price | None = None
    #: The server told no figures, or not all: these are our guess, by the length of the texts.
    is_estimated: bool = False
    #: The answer broke off or never came, so nobody here knows whether this was billed.
    is_doubtful: bool = False
    #: How many answers these figures are of.
    calls: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        """Both together. They are of one model, else its name and price are those of the later call."""
        return replace(
            other,
            model=other.model or self.model,
            tokens_in=self.tokens_in + other.tokens_in,
            tokens_out=self.tokens_out + other.tokens_out,
            cost=self.cost + other.cost,
            seconds=self.seconds + other.seconds,
            tokens_cached=self.tokens_cached + other.tokens_cached,
            price=other.price or self.price,
            is_estimated=self.is_estimated or other.is_estimated,
            is_doubtful=self.is_doubtful or other.is_doubtful,
            calls=self.calls + other.calls,
        )
