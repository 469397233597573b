"""The map of the site for search engines: https://www.sitemaps.org/protocol.html

A map may name 50,000 pages. Ours are cut by ranges of ids, so that no part is ever larger and old parts stay as they are.
"""

from collections.abc import Iterable
from html import escape

from django.db.models import F, IntegerField, Max
from django.db.models.functions import Cast
from django.urls import reverse
from django.utils.feedgenerator import rfc3339_date

from publishing.site import addresses
from publishing.site.catalogue import shown, without_texts
from publishing.site.entry import Entry

PER_PART = 10_000
_NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def parts() -> list[int]:
    """The numbers of the parts that have posts."""
    numbered = shown().order_by().annotate(part=Cast(F("pk") / PER_PART, IntegerField()))
    return sorted(row["part"] for row in numbered.values("part").annotate(newest=Max("pk")))


def index() -> str:
    """Of the parts."""
    paths = [reverse("site:sitemap-part", args=[part]) for part in parts()]
    return _document(
        "sitemapindex", (_location("sitemap", path) for path in [reverse("site:sitemap-pages"), *paths])
    )


def of_pages() -> str:
    """The pages that lists are on."""
    names = ["site:front", "site:archive", "site:topics"]
    return _document("urlset", (_location("url", reverse(name)) for name in names))


def of_posts(part: int) -> str | None:
    """The posts of a part; None if there is none."""
    found = shown().filter(pk__gte=part * PER_PART, pk__lt=(part + 1) * PER_PART).order_by("pk")
    entries = [Entry(publication) for publication in without_texts(found)]
    return _document("urlset", map(_post, entries)) if entries else None


def _post(entry: Entry) -> str:
    return _location("url", entry.path, rfc3339_date(entry.modified_at))


def _location(element: str, path: str, modified: str = "") -> str:
    lastmod = f"<lastmod>{modified}</lastmod>" if modified else ""
    return f"<{element}><loc>{escape(addresses.absolute(path))}</loc>{lastmod}</{element}>"


def _document(element: str, locations: Iterable[str]) -> str:
    inside = "\n".join(locations)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{element} xmlns="{_NAMESPACE}">\n{inside}\n</{element}>\n'
    )
