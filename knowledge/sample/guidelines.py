"""What the feed of sample guidelines says on a day. Pure: the same day always gives the same feed."""

import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path

TITLE = "Sample Guidelines (no medical advice)"
NOTICE = "This is a sample text, written to try Almanac with. It is no medical advice."
PATH = "/sample/knowledge/guidelines.xml"

#: Each guideline is reviewed so often, on a day of its own: so all are of the last weeks, as a topic's window wants it.
_REVIEWED_EVERY = 84


@dataclass(frozen=True)
class Guideline:
    """One sample guideline."""

    number: int
    slug: str
    title: str
    categories: tuple[str, ...]
    text: str

    @property
    def path(self) -> str:
        return f"/sample/knowledge/{self.slug}/"

    def reviewed_on(self, today: date) -> date:
        """The last day on which it was reviewed; it stays the same for weeks."""
        since = (today.toordinal() - self.number * (_REVIEWED_EVERY // len(guidelines()))) % _REVIEWED_EVERY
        return today - timedelta(days=since)

    def reviewed_at(self, today: date) -> datetime:
        return datetime.combine(self.reviewed_on(today), time(), UTC)


@cache
def guidelines() -> dict[str, Guideline]:
    """All sample guidelines by slug."""
    text = (Path(__file__).parent / "guidelines.toml").read_text(encoding="utf-8")
    return {
        one["slug"]: Guideline(number, one["slug"], one["title"], tuple(one["categories"]), one["text"])
        for number, one in enumerate(tomllib.loads(text)["guideline"])
    }


def newest_first(today: date) -> list[Guideline]:
    return sorted(guidelines().values(), key=lambda one: one.reviewed_on(today), reverse=True)
