"""Writing what a source gave into the ledger: every item once, updates noticed, tombstones respected."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from publishing import sources
from publishing.feeds import ParsedItem
from publishing.models import FeedItem, Source
from publishing.sources import Earlier

_FIELDS = [
    "fingerprint", "url", "title", "author", "summary_html", "content_html", "language", "categories", "enclosures",
    "published_at", "author_updated_at", "changed_at",
]  # fmt: skip


#: How many identities an adapter is told.
_REMEMBERED = 5_000


#: An item that was published within the week was fetched within it.
_WEEKLY = """
    SELECT source, EXISTS (SELECT FROM publishing_feeditem WHERE source_id = source),
        (SELECT count(*) FROM publishing_feeditem WHERE source_id = source AND fetched_at >= %(week_ago)s
            AND (published_at IS NULL OR published_at BETWEEN %(week_ago)s AND %(now)s))
    FROM unnest(%(ids)s::bigint[]) AS source
"""


@dataclass(frozen=True)
class Stored:
    """What one document did to the ledger."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    #: Items of a first poll beyond the backfill limit: known from now on, but not new.
    skipped: int = 0


def store(source: Source, items: Sequence[ParsedItem], *, now: datetime) -> Stored:
    """Insert and update the source's items. The caller holds the lock on the source's row."""
    is_first = source.last_success_at is None and not source.items.exists()
    known = {
        item.identity: item for item in source.items.filter(identity__in=[item.identity for item in items])
    }
    known |= _renamed(source, items, known)
    new = [item for item in items if item.identity not in known]
    changed = []
    for item in items:
        row = known.get(item.identity)
        if row is not None and row.removed_at is None and row.fingerprint != item.fingerprint:
            changed.append(_filled(row, item, changed_at=now))
    rows = [_filled(FeedItem(source=source, identity=item.identity, fetched_at=now), item) for item in new]
    skipped = _skip_old(rows, source.backfill_limit) if is_first else 0
    rows.reverse()  # feeds list the newest first; the oldest gets the lowest id
    rows.sort(key=lambda row: row.published_at or now)
    FeedItem.objects.bulk_create(rows, batch_size=200)
    FeedItem.objects.bulk_update(changed, ["identity", *_FIELDS], batch_size=100)
    return Stored(
        new=len(rows) - skipped,
        updated=len(changed),
        unchanged=len(items) - len(rows) - len(changed),
        skipped=skipped,
    )


def values_of(item: ParsedItem) -> dict[str, Any]:
    """What the ledger keeps of an item, by the names of its fields."""
    return {
        "identity": item.identity,
        "fingerprint": item.fingerprint,
        "url": item.url,
        "title": item.title,
        "author": item.author,
        "summary_html": item.summary_html,
        "content_html": item.content_html,
        "language": item.language,
        "categories": list(item.categories),
        "enclosures": [asdict(enclosure) for enclosure in item.enclosures],
        "published_at": item.published_at or item.updated_at,
        "author_updated_at": item.updated_at,
    }


def _filled(row: FeedItem, item: ParsedItem, changed_at: datetime | None = None) -> FeedItem:
    for name, value in values_of(item).items():
        setattr(row, name, value)
    row.changed_at = changed_at
    return row


def _skip_old(rows: Sequence[FeedItem], limit: int) -> int:
    """Mark all but the newest `limit` items as skipped; items without a date count as new as their place says."""
    newest_first = sorted(
        rows, key=lambda row: -(row.published_at.timestamp() if row.published_at else float("inf"))
    )
    for row in newest_first[limit:]:
        row.state = FeedItem.State.SKIPPED
        row.state_reason = f"Older than the newest {limit} items of the first poll."
    return len(newest_first[limit:])


def _renamed(source: Source, items: Sequence[ParsedItem], known: dict[str, FeedItem]) -> dict[str, FeedItem]:
    """Rows of items whose id has changed while address and title stayed, by their new identity.

    Sites that move to other software give every old item a new id; without this they would all be new again.
    """
    if not sources.get(source.kind).has_item_per_address:
        return {}
    strangers = {item.url: item for item in items if item.identity not in known and item.url and item.title}
    found: dict[str, FeedItem] = {}
    if not strangers:
        return found
    present = {item.identity for item in items}
    for row in source.items.filter(url__in=strangers).exclude(identity__in=present):
        stranger = strangers[row.url]
        if row.title == stranger.title and stranger.identity not in found:
            FeedItem.objects.filter(pk=row.pk).update(identity=stranger.identity)
            row.identity = stranger.identity
            found[stranger.identity] = row
    return found


def earlier(source: Source) -> Earlier:
    """What the source's adapter may want to know of what it gave before."""
    newest = source.items.order_by("-fetched_at", "-pk")
    latest = newest.kept().values_list("content_html", flat=True).first()
    return Earlier(frozenset(newest.values_list("identity", flat=True)[:_REMEMBERED]), latest or "")


def weekly_counts(source_ids: Iterable[int], *, now: datetime) -> dict[int, int | None]:
    """Items of the last seven days by their own dates, or ours, of each source; None for one without any item."""
    with connection.cursor() as cursor:
        cursor.execute(_WEEKLY, {"ids": list(source_ids), "now": now, "week_ago": now - timedelta(days=7)})
        return {pk: count if has_any else None for pk, has_any, count in cursor.fetchall()}
