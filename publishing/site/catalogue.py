"""What is on the site: exactly what the ledger calls published at the publisher of kind `site`, the newest first.

Nothing here counts: with a hundred thousand posts a list reads as many rows as it shows, in the order of an index.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet, Subquery
from django.utils import timezone

from publishing.models import Publication, Publisher
from publishing.publishers.site import BuiltInSite
from publishing.site.entry import Entry, Tag

PER_PAGE = 10
#: Of so many posts, the newest, topics are counted.
RECENT = 500

#: What a link to a post takes, and what its page and entries of lists and feeds take besides. Asking for all columns of
#: three tables would cost more than looking them up.
_LINK = (
    "published_at",
    "due_at",
    *(f"post__{name}" for name in ("slug", "title", "language", "updated_at", "revision")),
)
_TEXT = (
    "tags",
    "keywords",
    "excerpt",
    "body_html",
    "meta_title",
    "meta_description",
    "canonical_url",
    "word_count",
)
_WHOLE = (*_LINK, "marker", *(f"post__{name}" for name in _TEXT), "post__agent__name")

Publications = QuerySet[Publication]


class NothingThere(Exception):
    """There is no such post or list."""


@dataclass(frozen=True)
class Page:
    """A piece of a list; `newer` and `older` are the queries of its neighbours, "" where there is none."""

    entries: Sequence[Entry]
    newer: str = ""
    older: str = ""


def shown() -> Publications:
    """The publications on the site with their posts, the newest first."""
    publisher = Publisher.objects.filter(kind=BuiltInSite.name).order_by().values("pk")[:1]
    return (
        Publication.objects.filter(
            publisher_id=Subquery(publisher),
            state=Publication.State.PUBLISHED,
            published_at__isnull=False,
        )
        .select_related("post__agent")
        .only(*_WHOLE)
        .order_by("-published_at", "-pk")
    )


def entry(slug: str) -> Entry:
    """Raises NothingThere for posts that are not on the site, whatever else they are."""
    if (found := shown().filter(post__slug=slug).first()) is None:
        raise NothingThere
    return Entry(found)


def neighbours(entry: Entry) -> tuple[Entry | None, Entry | None]:
    """The next newer and the next older post, without their texts."""
    at, pk = entry.published_at, entry.publication.pk
    newer = _newer_than(without_texts(shown()), at, pk).first()
    older = _older_than(without_texts(shown()), at, pk).first()
    return Entry(newer) if newer else None, Entry(older) if older else None


def tagged(tag: str) -> Publications:
    return shown().filter(post__tags__contains=[tag])


def in_month(first: datetime) -> Publications:
    """Of the month that begins then."""
    following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
    return shown().filter(published_at__gte=first, published_at__lt=following)


def page(publications: Publications, query: Mapping[str, str], size: int = PER_PAGE) -> Page | None:
    """The part of a list that a query `before` or `after` one of its publications asks for, or its beginning.

    None: what is asked for is the beginning, which has an address of its own. Raises NothingThere.
    """
    if "before" in query:
        place = _place(query["before"])
        rows = list(_older_than(publications, *place)[: size + 1])
        if not rows:
            raise NothingThere
        return _page(rows[:size], has_newer=True, has_older=len(rows) > size)
    if "after" in query:
        rows = list(_newer_than(publications, *_place(query["after"]))[: size + 1])
        if len(rows) <= size:
            return None
        return _page(rows[:size][::-1], has_newer=True, has_older=True)
    return beginning(publications, size)


def beginning(publications: Publications, size: int = PER_PAGE) -> Page:
    """The first part of a list."""
    rows = list(publications[: size + 1])
    return _page(rows[:size], has_newer=False, has_older=len(rows) > size)


def months() -> list[datetime]:
    """The months in which something was published, the newest first; one look into the index for each."""
    zone = timezone.get_current_timezone_name()
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS, {"zone": zone, "kind": BuiltInSite.name})
        found = [month for (month,) in cursor.fetchall()]
    return [timezone.make_aware(month) for month in found if month is not None]


def topics() -> list[tuple[Tag, int]]:
    """The tags of the newest posts with how many of these have them, the most common first."""
    tags = shown().values_list("post__tags", flat=True)[:RECENT]
    counts = Counter(tag for names in tags for tag in Tag.all_of(names))
    return sorted(counts.items(), key=lambda counted: (-counted[1], counted[0].name.casefold()))


def without_texts(publications: Publications) -> Publications:
    """With so much of their posts as it takes to link to them."""
    return publications.select_related(None).select_related("post").only(*_LINK)


def newest(publications: Publications, count: int) -> list[Entry]:
    return [Entry(publication) for publication in publications[:count]]


def _page(rows: list[Publication], *, has_newer: bool, has_older: bool) -> Page:
    return Page(
        entries=[Entry(row) for row in rows],
        newer=f"?after={rows[0].pk}" if has_newer else "",
        older=f"?before={rows[-1].pk}" if has_older else "",
    )


def _place(text: str) -> tuple[datetime, int]:
    """Where a publication stands in every list, also one that was withdrawn since; raises NothingThere."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NothingThere
    found = Publication.objects.filter(pk=int(text), publisher__kind=BuiltInSite.name)
    place = found.exclude(published_at=None).values_list("published_at", "pk").first()
    if place is None or place[0] is None:
        raise NothingThere
    return place[0], place[1]


def _older_than(publications: Publications, at: datetime, pk: int) -> Publications:
    """The redundant first condition is the one that an index serves."""
    return publications.filter(Q(published_at__lt=at) | Q(published_at=at, pk__lt=pk), published_at__lte=at)


def _newer_than(publications: Publications, at: datetime, pk: int) -> Publications:
    """The oldest of them first."""
    newer = publications.filter(Q(published_at__gt=at) | Q(published_at=at, pk__gt=pk), published_at__gte=at)
    return newer.order_by("published_at", "pk")


#: From each month to the newest post before it.
_MONTHS = """
WITH RECURSIVE site AS (
    SELECT id FROM publishing_publisher WHERE kind = %(kind)s LIMIT 1
), month(begins) AS (
    (SELECT date_trunc('month', published_at AT TIME ZONE %(zone)s) FROM publishing_publication
     WHERE publisher_id = (SELECT id FROM site) AND state = 'published' AND published_at IS NOT NULL
     ORDER BY published_at DESC, id DESC LIMIT 1)
    UNION ALL
    SELECT (SELECT date_trunc('month', published_at AT TIME ZONE %(zone)s) FROM publishing_publication
            WHERE publisher_id = (SELECT id FROM site) AND state = 'published'
              AND published_at < month.begins AT TIME ZONE %(zone)s
            ORDER BY published_at DESC, id DESC LIMIT 1)
    FROM month WHERE month.begins IS NOT NULL
)
SELECT begins FROM month
"""
