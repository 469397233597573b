"""What is told: the same content for every kind of channel, kept as JSON with its delivery."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

import nh3
from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, field_validator

Severity = Literal["critical", "high", "medium", "low"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Fact(_Part):
    """One line of a table."""

    label: str
    value: str


class Item(_Part):
    """One of several things that are told together."""

    title: str
    severity: Severity
    #: What happened to it, in a word or two.
    change: str
    at: datetime
    #: Path on this site.
    path: str = ""
    #: Only members of this group may read it.
    owner_group: int | None = None

    @property
    def url(self) -> str:
        return absolute(self.path)


class Section(_Part):
    """A part of a report: a heading, and text or facts."""

    title: str
    text: str = ""
    facts: tuple[Fact, ...] = ()


class Message(_Part):
    """A message before it takes the form of its channel."""

    #: For programs: alert.opened, digest, report, test.
    type: str
    title: str
    severity: Severity = "low"
    at: datetime
    #: What happened, in a word or two: "Opened".
    change: str = ""
    text: str = ""
    #: Sanitised when it is made.
    html: str = ""
    facts: tuple[Fact, ...] = ()
    items: tuple[Item, ...] = ()
    sections: tuple[Section, ...] = ()
    #: Path on this site of the page about it.
    path: str = ""
    #: Only members of this group may read it.
    owner_group: int | None = None
    #: For programs.
    data: Mapping[str, Any] = Field(default_factory=dict)

    @field_validator("title")
    @classmethod
    def _one_line(cls, title: str) -> str:
        return " ".join(title.split())[:300]

    @field_validator("html")
    @classmethod
    def _harmless(cls, html: str) -> str:
        return nh3.clean(html)

    @property
    def url(self) -> str:
        return absolute(self.path)

    @property
    def owner_groups(self) -> list[int]:
        """The groups whose things it tells, its items' included."""
        groups = {self.owner_group, *(item.owner_group for item in self.items)}
        return sorted(group for group in groups if group is not None)

    def for_reader(self, includes: Callable[[int | None], bool]) -> "Message | None":
        """The message with what a reader may see; None when nothing is left. `includes` judges owner groups."""
        items = tuple(item for item in self.items if includes(item.owner_group))
        if not includes(self.owner_group) or (self.items and not items):
            return None
        return self if len(items) == len(self.items) else self.model_copy(update={"items": items})

    def plain(self) -> str:
        """Everything as plain text, for channels that know nothing else."""
        parts = [self.text.strip()]
        parts.append("\n".join(f"{fact.label}: {fact.value}" for fact in self.facts))
        parts.append("\n".join(f"- {_words_of(item)}" for item in self.items))
        for section in self.sections:
            facts = "\n".join(f"{fact.label}: {fact.value}" for fact in section.facts)
            parts.append("\n".join(part for part in (section.title, section.text.strip(), facts) if part))
        return "\n\n".join(part for part in parts if part)


def absolute(path: str) -> str:
    """A path of this site as the address that people reach it at; empty when SITE_URL is not set."""
    return f"{settings.SITE_URL}{path}" if path and settings.SITE_URL else ""


def _words_of(item: Item) -> str:
    return f"[{item.severity}] {item.title} ({item.change.lower()}, {item.at:%d %b %H:%M} UTC)"
