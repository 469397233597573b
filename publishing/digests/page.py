"""A digest as HTML, and what is said about it. Nothing that comes from an item gets here unescaped."""

from collections.abc import Sequence
from datetime import UTC
from html import escape

from publishing.digests.articles import source_of, title_of
from publishing.digests.phrases import Phrases
from publishing.digests.plan import Quoted, Theme
from publishing.feeds.sanitise import clean_html, web_address
from publishing.writers import Item


def rendered(themes: Sequence[Theme], items: dict[int, Item], *, phrases: Phrases, subject: str) -> str:
    """The whole text: an introduction, a heading and quotations for each item, and the list of sources."""
    used = [items[quoted.item_id] for theme in themes for quoted in theme.items]
    parts = _introduction(used, phrases, subject)
    for theme in themes:
        for level, quoted in zip(["h2", *["h3"] * len(theme.items)], theme.items, strict=False):
            item = items[quoted.item_id]
            parts.append(f"<{level}>{escape(heading(item, phrases))}</{level}>")
            parts.append(_quotation(item, quoted, phrases))
    parts.append(f"<h2>{escape(phrases.sources_heading)}</h2>")
    parts.append("<ul>\n" + "\n".join(f"<li>{_source(item, phrases)}</li>" for item in used) + "\n</ul>")
    return clean_html("\n".join(parts))


def heading(item: Item, phrases: Phrases) -> str:
    """The title of an item, or where and when it was published if it has none."""
    return title_of(item) or ", ".join([source_of(item), *_date(item, phrases)])


def introduction(used: Sequence[Item], phrases: Phrases) -> str:
    """How many articles of whom, and of which dates: all that can be said without inventing anything."""
    names = list(dict.fromkeys(source_of(item) for item in used))
    told = phrases.introduction.format(
        counted=phrases.counted(len(used), len(names)), names=phrases.listed(names)
    )
    dates = phrases.dated([item.published_at for item in used if item.published_at])
    return f"{told} {dates}".strip()


def _introduction(used: Sequence[Item], phrases: Phrases, subject: str) -> list[str]:
    label = f"<strong>{escape(subject)}</strong>: " if subject else ""
    return [f"<p>{label}{escape(introduction(used, phrases))}</p>", f"<p>{escape(phrases.verbatim)}</p>"]


def _quotation(item: Item, quoted: Quoted, phrases: Phrases) -> str:
    address = escape(web_address(item.url))
    sentences = "".join(f"<p>{escape(sentence, quote=False)}</p>" for sentence in quoted.sentences)
    caption = ", ".join([f'<a href="{address}">{escape(source_of(item))}</a>', *_time(item, phrases)])
    return (
        f'<figure>\n<blockquote cite="{address}">{sentences}</blockquote>\n'
        f"<figcaption>{caption}</figcaption>\n</figure>"
    )


def _source(item: Item, phrases: Phrases) -> str:
    link = f'<a href="{escape(web_address(item.url))}">{escape(heading(item, phrases))}</a>'
    return ", ".join([link, escape(source_of(item)), *_time(item, phrases)])


def _date(item: Item, phrases: Phrases) -> list[str]:
    return [phrases.on(item.published_at.astimezone(UTC).date())] if item.published_at else []


def _time(item: Item, phrases: Phrases) -> list[str]:
    if not item.published_at:
        return []
    machine = item.published_at.astimezone(UTC).date().isoformat()
    return [f'<time datetime="{machine}">{escape(date)}</time>' for date in _date(item, phrases)]
