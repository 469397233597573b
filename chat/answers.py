"""What a model says, put together from the pieces in which it comes."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field, JsonValue, NonNegativeInt, ValidationError

from chat.usage import Price, Usage

#: Bytes of text for each token, where the server tells no figures: English has some four, Polish some three.
BYTES_IN_TOKEN = 3.5
#: The names of those who made the protocol, and of servers that came before it was followed closely.
_WHOLE = {"stop", "eos", "eos_token", "stop_sequence", "end_turn"}


class _Words(BaseModel):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[JsonValue] | None = None


class _Choice(BaseModel):
    index: int = 0
    delta: _Words | None = None
    message: _Words | None = None
    finish_reason: str | None = None


class Chunk(BaseModel):
    """A piece of an answer, or all of it."""

    model: str | None = None
    choices: list[_Choice] = Field(default_factory=list)
    usage: JsonValue = None
    error: JsonValue = None


class _Details(BaseModel):
    cached_tokens: NonNegativeInt | None = None


class _Figures(BaseModel):
    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt
    prompt_tokens_details: _Details | None = None


@dataclass
class Collected:
    """What has come of an answer so far."""

    #: The name of the model that was asked.
    model: str
    price: Price | None
    prompt_bytes: int
    #: Whether the question may have left; before that nothing can be billed.
    is_sent: bool = False
    refusal: str = ""
    finish_reason: str = ""
    has_tool_calls: bool = False
    #: Whether anything of the protocol has come.
    has_begun: bool = False
    _parts: list[str] = field(default_factory=list)
    _text_bytes: int = 0
    _figures: _Figures | None = None

    def add(self, chunk: Chunk) -> str:
        """Take in a piece; gives its text."""
        self.has_begun = True
        self.model = chunk.model or self.model
        self._figures = _figures_of(chunk.usage) or self._figures
        said = ""
        for choice in chunk.choices:
            if choice.index == 0:
                said += self._hear(choice.delta or choice.message or _Words())
                self.finish_reason = choice.finish_reason or self.finish_reason
        return said

    def _hear(self, words: _Words) -> str:
        self.refusal += words.refusal or ""
        self.has_tool_calls = self.has_tool_calls or bool(words.tool_calls)
        if words.content:
            self._parts.append(words.content)
            self._text_bytes += len(words.content.encode(errors="replace"))
        return words.content or ""

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def is_whole(self) -> bool:
        """Whether the model said that this is all."""
        return self.finish_reason in _WHOLE

    def usage(self, seconds: float, *, is_doubtful: bool = False) -> Usage:
        """What it took: the server's figures, or else ours."""
        figures, is_estimated = self._figures, self._figures is None
        if figures is None:
            figures = _Figures(
                prompt_tokens=_estimated(self.prompt_bytes), completion_tokens=_estimated(self._text_bytes)
            )
        details = figures.prompt_tokens_details
        cached = min(details.cached_tokens or 0, figures.prompt_tokens) if details else 0
        cost = Decimal(0)
        if self.price is not None:
            cost = self.price.of(figures.prompt_tokens, figures.completion_tokens, cached)
        return Usage(
            model=self.model,
            tokens_in=figures.prompt_tokens,
            tokens_out=figures.completion_tokens,
            cost=cost,
            tokens_cached=cached,
            seconds=seconds,
            price=self.price,
            is_estimated=is_estimated,
            is_doubtful=is_doubtful,
            calls=1,
        )


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has; models count differently, and only they know."""
    return _estimated(len(text.encode(errors="replace")))


def _estimated(count: int) -> int:
    return -int(-count // BYTES_IN_TOKEN)


def _figures_of(told: Any) -> _Figures | None:
    """The server's count; None when there is none, or it cannot be right."""
    try:
        return _Figures.model_validate(told)
    except ValidationError:
        return None
