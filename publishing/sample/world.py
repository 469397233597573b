"""What the sample feeds contain at a given time. Pure: the same moment always gives the same feed."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

#: How many entries a feed shows.
LENGTH = 6
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class SampleEntry:
    """Something a sample feed published."""

    number: int
    title: str
    html: str
    categories: tuple[str, ...]
    published_at: datetime

    def path(self, feed: "SampleFeed") -> str:
        return f"/sample/{feed.name}/{self.number}/"


@dataclass(frozen=True)
class SampleFeed:
    """One feed of the sample world."""

    name: str
    format: str
    title: str
    description: str
    author: str
    language: str
    every: timedelta
    texts: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def path(self) -> str:
        return f"/sample/{self.name}.{'json' if self.format == 'json' else 'xml'}"

    def latest_number(self, now: datetime) -> int:
        """The number of the newest entry: one is published each `every` since the beginning."""
        return max(int((now - _BEGINNING) / self.every), 0)

    def entry(self, number: int) -> SampleEntry:
        """The entry of that number; the texts come round again."""
        title, html, categories = self.texts[number % len(self.texts)]
        return SampleEntry(number, title, html, categories, _BEGINNING + number * self.every)

    def entries(self, now: datetime) -> list[SampleEntry]:
        """What the feed shows, the newest first."""
        newest = self.latest_number(now)
        return [self.entry(number) for number in range(newest, max(newest - LENGTH, -1), -1)]


@cache
def feeds() -> dict[str, SampleFeed]:
    """All sample feeds by name."""
    found = tomllib.loads((Path(__file__).parent / "feeds.toml").read_text(encoding="utf-8"))["feed"]
    return {
        feed["name"]: SampleFeed(
            name=feed["name"],
            format=feed["format"],
            title=feed["title"],
            description=feed["description"],
            author=feed["author"],
            language=feed["language"],
            every=timedelta(hours=feed["every_hours"]),
            texts=tuple((text["title"], text["html"], tuple(text["categories"])) for text in feed["entry"]),
        )
        for feed in found
    }
