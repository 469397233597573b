"""What a kind of channel is. See docs/notifications.md for adding one."""

import inspect
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from jobs.errors import InvalidParameters
from jobs.notifications.errors import UnknownChannelKind
from jobs.notifications.message import Message
from jobs.storable import clean_json, clean_text

#: The recipient of a channel that has but one.
ONLY_ONE = ""


class Settings(BaseModel):
    """What a channel of the kind is told. Fields of type SecretStr are encrypted at rest and never shown."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @classmethod
    def secret_names(cls) -> set[str]:
        return {name for name, info in cls.model_fields.items() if SecretStr in _types_in(info.annotation)}


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Envelope(Generic[S]):
    """One message on its way over one channel."""

    #: Of the delivery; equal for every attempt at it.
    id: uuid.UUID
    message: Message
    settings: S
    recipient: str = ONLY_ONE
    channel_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The other side has taken the message."""

    #: Code of HTTP or SMTP; None for what stays here.
    status: int | None = None
    #: The beginning of what it said.
    text: str = ""
    #: Where it went and how large it was; nothing secret.
    request: Mapping[str, Any] = field(default_factory=dict)


class ChannelKind(ABC, Generic[S]):
    """One way to send. The docstring of a kind is its help text."""

    name: ClassVar[str]
    label: ClassVar[str]
    #: A symbol of the Material Symbols font.
    icon: ClassVar[str]
    #: The settings' model, the same as the type argument.
    parameters: ClassVar[type[Settings]]

    @property
    def help_text(self) -> str:
        return inspect.getdoc(type(self)) or ""

    def recipients(self, settings: S) -> list[str]:
        """Who gets a message of their own, so that one that fails leaves the others alone."""
        return [ONLY_ONE]

    @abstractmethod
    def address(self, settings: S) -> str:
        """Where it leads, as people may see it: without secrets."""

    @abstractmethod
    def send(self, envelope: Envelope[S]) -> Answer:
        """Send it now, within half a minute. Raises NotNow, Refused, RecipientRefused or ChannelRefused."""

    def clean(self, values: Mapping[str, object]) -> dict[str, Any]:
        """The settings, checked and complete, with secrets as text; raises InvalidParameters."""
        checked = self.read(values)
        return {
            name: value.get_secret_value()
            if isinstance(value := getattr(checked, name), SecretStr)
            else plain
            for name, plain in checked.model_dump(mode="json").items()
        }

    def read(self, values: Mapping[str, object]) -> S:
        """The settings as the kind's own model; raises InvalidParameters."""
        unfit = [
            clean_text(name) for name, value in values.items() if clean_json({name: value}) != {name: value}
        ]
        if unfit:
            raise InvalidParameters(
                {name: ["Has characters or numbers that cannot be stored."] for name in unfit}
            )
        try:
            return self.parameters.model_validate(dict(values))  # type: ignore[return-value]  # it is S
        except ValidationError as error:
            fields: dict[str, list[str]] = {}
            for problem in error.errors(include_url=False, include_input=False):
                name = ".".join(str(part) for part in problem["loc"]) or "settings"
                fields.setdefault(name, []).append(problem["msg"].removeprefix("Value error, "))
            raise InvalidParameters(fields) from error


AnyKind = ChannelKind[Any]
_registry: dict[str, AnyKind] = {}


def register(kind: type[AnyKind]) -> type[AnyKind]:
    """Class decorator: make the kind known. Raises ValueError for a name that is taken, TypeError for no kind."""
    if inspect.isabstract(kind):
        raise TypeError(f"{kind!r} is no complete kind of channel.")
    if kind.name in _registry:
        raise ValueError(f"There are two kinds of channels named {kind.name!r}.")
    _registry[kind.name] = kind()
    return kind


def get_kind(name: str) -> AnyKind:
    """The kind of that name; raises UnknownChannelKind."""
    try:
        return _registry[name]
    except KeyError:
        raise UnknownChannelKind(f"There is no kind of channel named {name!r}.") from None


def find_kind(name: str) -> AnyKind | None:
    """The kind of that name, or None when no code is left for it."""
    return _registry.get(name)


def all_kinds() -> list[AnyKind]:
    """Every kind, by label."""
    return sorted(_registry.values(), key=lambda kind: kind.label)


def _types_in(annotation: Any) -> set[Any]:
    return {annotation, *get_args(annotation)}
