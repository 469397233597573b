"""What every kind of publisher has to do. A kind is pure: it knows no database, keeps no state and never retries."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from jobs.errors import InvalidParameters
from publishing.errors import PublishingError


class PublishLater(PublishingError):
    """Nothing was published, and the same request may work later, after `retry_after` seconds if it is given."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class PublishRefused(PublishingError):
    """Nothing was published, and the same request never works: wrong credentials, content that is not taken."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PublishUnknown(PublishingError):
    """It may be published or not: the request was sent, and no answer tells. It must be looked for before it is sent again."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Settings(BaseModel):
    """What a publisher of the kind is told. Fields of type SecretStr are encrypted at rest and never shown."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @classmethod
    def secret_names(cls) -> set[str]:
        return {name for name, field in cls.model_fields.items() if field.annotation is SecretStr}


S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A post as it goes out. `body_html` is harmless."""

    #: Of the publication; the same for every attempt. Other sides that keep it can be asked for it.
    marker: UUID
    title: str
    slug: str
    body_html: str
    excerpt: str = ""
    language: str = "en"
    tags: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    meta_title: str = ""
    meta_description: str = ""
    canonical_url: str = ""
    published_at: datetime


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A post as the other side has it."""

    id: str = ""
    url: str = ""
    #: The HTTP status that said so; None where there is no HTTP.
    status: int | None = None


class PublisherKind(ABC, Generic[S]):
    """One way to publish. The docstring of a kind is its help text."""

    #: Stored with every publisher; never changes.
    name: ClassVar[str]
    label: ClassVar[str]
    #: The settings' model, the same as the type argument.
    parameters: ClassVar[type[Settings]]
    #: Whether what went out can be changed there (`update`), and taken back (`withdraw`).
    can_update: ClassVar[bool] = False
    can_withdraw: ClassVar[bool] = False

    @property
    def help_text(self) -> str:
        return inspect.getdoc(type(self)) or ""

    @abstractmethod
    def send(self, post: Outgoing, settings: S) -> Remote:
        """Publish it now, with exactly one request that publishes. Raises the three errors of this module.

        What has to be there before, such as tags, is looked up or made first; trouble with that is PublishLater or
        PublishRefused, since nothing has been published then.
        """

    def can_find(self, settings: S) -> bool:
        """Whether `find` tells for sure that a post is not there. Otherwise a person has to look."""
        return True

    @abstractmethod
    def find(self, post: Outgoing, settings: S) -> Remote | None:
        """The post, if it is there; only reads. Raises PublishLater or PublishRefused when it cannot be told."""

    def update(self, post: Outgoing, remote: Remote, settings: S) -> Remote:
        """Give the post that is there this text. May be repeated. Raises the three errors; PublishRefused when it is gone."""
        raise PublishRefused(f"{self.label} cannot change what was published.")

    def withdraw(self, post: Outgoing, remote: Remote, settings: S) -> None:
        """Take the post back. May be repeated: nothing there is fine. Raises the three errors."""
        raise PublishRefused(f"{self.label} cannot take back what was published.")

    @abstractmethod
    def test(self, settings: S) -> str:
        """Try what can be tried without publishing; a sentence on what was found. Raises PublishLater, PublishRefused."""

    def clean(self, values: Mapping[str, object]) -> dict[str, Any]:
        """The settings, checked and complete, with secrets as text; raises InvalidParameters."""
        checked = self.read(values)
        plain = checked.model_dump(mode="json")
        secrets = {name: getattr(checked, name).get_secret_value() for name in checked.secret_names()}
        return plain | secrets

    def read(self, values: Mapping[str, object]) -> S:
        """The settings as the kind's own model; raises InvalidParameters."""
        try:
            return self.parameters.model_validate(dict(values))  # type: ignore[return-value]  # it is S
        except ValidationError as error:
            fields: dict[str, list[str]] = {}
            for problem in error.errors(include_url=False, include_input=False):
                name = ".".join(str(part) for part in problem["loc"]) or "settings"
                fields.setdefault(name, []).append(problem["msg"].removeprefix("Value error, "))
            raise InvalidParameters(fields) from error


AnyKind = PublisherKind[Any]
