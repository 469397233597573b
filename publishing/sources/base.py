"""What every kind of source has to do. An adapter is pure: it knows no database and keeps no state."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from publishing.feeds import ParsedItem


class Options(BaseModel):
    """Base of a kind's own settings: unknown names are refused."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Earlier:
    """What the source has given before, for the kinds that ask (`wants_earlier`)."""

    #: Of its newest few thousand items.
    identities: frozenset[str] = frozenset()
    #: The text of the newest item.
    latest_html: str = ""


@dataclass(frozen=True)
class FetchRequest:
    """What to fetch, and what was there last time."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    #: Read everything, whatever was there last time.
    force: bool = False
    #: When it was last read with success; None for the first time.
    last_success_at: datetime | None = None
    earlier: Earlier = field(default_factory=Earlier)


@dataclass(frozen=True)
class Fetched:
    """What came back from a fetch that worked."""

    #: False when nothing has changed since the last time; there are no items then.
    is_changed: bool
    items: tuple[ParsedItem, ...] = ()
    status: int | None = None
    title: str = ""
    language: str = ""
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""
    #: The address to use from now on, when every redirect on the way said it is permanent.
    permanent_url: str | None = None
    #: How long the source asks to be left alone.
    quiet_for: timedelta | None = None
    #: What people should know, such as "only the first 300 entries were read".
    notes: tuple[str, ...] = ()


class SourceAdapter(ABC):
    """One kind of source.

    Adapters translate every error of theirs into `SourceUnavailable` (later), `SourceRejected`, `SourceGone` or
    `SourceUnreadable`; anything else that escapes is a bug.
    """

    #: Stored with every source; never changes.
    kind: ClassVar[str]
    label: ClassVar[str]
    options: ClassVar[type[Options]] = Options
    #: Whether people enter an address. Otherwise `address` makes it of the options, or there is none.
    has_address: ClassVar[bool] = True
    #: Whether it is polled. Otherwise people add its items by hand.
    is_polled: ClassVar[bool] = True
    #: Whether `FetchRequest.earlier` is filled in.
    wants_earlier: ClassVar[bool] = False
    #: Whether two items with the same address and title are the same, whatever their ids say.
    has_item_per_address: ClassVar[bool] = True

    @property
    def help_text(self) -> str:
        return inspect.getdoc(type(self)) or ""

    @abstractmethod
    def fetch(self, request: FetchRequest) -> Fetched:
        """Fetch once. May take as long as its own time limits allow; does not retry."""

    def address(self, url: str, options: Mapping[str, Any]) -> str:
        """The address to read: the one that was entered, unless the kind makes it of its checked options."""
        return url

    def why_not(self, url: str) -> str:
        """Why this address cannot be one of this kind; "" if it can."""
        try:
            parts = urlsplit(url)
            has_credentials = parts.username is not None or parts.password is not None
            is_complete = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        except ValueError:
            return "This is not an address that can be read."
        if has_credentials:
            return "Leave user name and password out of the address: it is shown and logged."
        if not is_complete or url != url.strip() or "\x00" in url:
            return "Enter an address that begins with http:// or https://."
        return ""

    def clean_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options with defaults filled in; raises pydantic's ValidationError."""
        return self.options.model_validate(dict(options)).model_dump(mode="json")
