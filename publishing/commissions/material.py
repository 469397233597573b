"""The items of a brief as a model gets them: numbered, as plain text, and as data that can pretend nothing."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings

from publishing.digests.articles import is_clean, source_of, title_of
from publishing.feeds.sanitise import plain_text, web_address
from publishing.writers.base import Brief, Item

#: Signs that people do not see and models read: tags of Unicode, marks of direction, joiners of nothing.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e0fff]"
)
_MAX_TITLE_CHARS = 300


@dataclass(frozen=True)
class Material:
    """What a text may stand on. The same items have the same numbers, whatever their order."""

    #: By number, from 1.
    items: dict[int, Item]
    #: How many of the brief's items have a keyword to avoid in what readers see of them.
    left_out: int

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each item, by its id."""
        return {item.id: number for number, item in self.items.items()}

    def by_address(self, address: str) -> int | None:
        """The number of the item at an address."""
        wanted = _bare(address)
        return next((n for n, item in self.items.items() if _bare(item.url) == wanted and wanted), None)

    def quoted(self, numbers: Collection[int] | None = None) -> str:
        """The items as one JSON object a line, between marks that no item can write: it has no `<` in it.

        Of all their text together as much is given as PUBLISHING_SOURCES_CHARS says, of short ones all.
        """
        chosen = {n: item for n, item in self.items.items() if numbers is None or n in numbers}
        texts = {n: _visible(plain_text(item.html, _share_limit())) for n, item in chosen.items()}
        limit = _fair_share([len(text) for text in texts.values()], _share_limit())
        lines = [_line(n, item, texts[n][:limit]) for n, item in chosen.items()]
        return "\n".join(["<sources>", *lines, "</sources>"])


def material(brief: Brief) -> Material:
    """The items that a model is told of."""
    usable = [
        item
        for item in sorted(brief.items, key=lambda item: item.id)
        if is_clean(title_of(item), brief) and is_clean(source_of(item), brief)
    ]
    return Material(dict(enumerate(usable, start=1)), len(brief.items) - len(usable))


def _share_limit() -> int:
    return int(settings.PUBLISHING_SOURCES_CHARS)


def _fair_share(lengths: Iterable[int], total: int) -> int:
    """The most characters that each may have, so that together they have no more than `total`."""
    waiting = sorted(lengths)
    while waiting:
        share = total // len(waiting)
        if waiting[0] > share:
            return share
        total -= waiting.pop(0)
    return total


def _line(number: int, item: Item, text: str) -> str:
    told = {
        "number": number,
        "title": _visible(plain_text(item.title, _MAX_TITLE_CHARS)),
        "published_by": _visible(source_of(item)),
        "published_on": item.published_at.date().isoformat() if item.published_at else None,
        "text": text,
    }
    return json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text)


def _bare(address: str) -> str:
    """An address as it is compared: without fragment and last slash."""
    return web_address(address).partition("#")[0].rstrip("/").casefold()
