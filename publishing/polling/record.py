"""What a poll leaves behind: items, validators, health and the next time, in one transaction."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.db import connection, transaction

from jobs.outbound import redact
from publishing.errors import SourceError, SourceGone, SourceUnavailable, SourceUnreadable
from publishing.models import Source
from publishing.polling import cadence, items, pace
from publishing.sources import Fetched, FetchRequest

logger = logging.getLogger(__name__)

#: A permanent redirect is believed after so many polls over so long a time: misconfigured servers come and go.
REDIRECT_SIGHTINGS = 5
REDIRECT_STABLE_FOR = timedelta(days=3)

#: How many items a run's result shows.
_SHOWN_ITEMS = 5

Change = Literal["changed", "unchanged", "discarded"]


@dataclass(frozen=True)
class FoundItem:
    """An item as runs show it."""

    title: str
    url: str
    published_at: datetime | None


@dataclass(frozen=True)
class PollResult:
    """How polling one source went."""

    source_id: int
    name: str
    outcome: Change
    new: int = 0
    updated: int = 0
    skipped: int = 0
    #: How many items the document had, and the first of them.
    items_found: int = 0
    items: tuple[FoundItem, ...] = ()
    next_poll_at: datetime | None = None
    notes: tuple[str, ...] = ()
    #: Posts begun of its new items (`publishing.news`).
    posts_triggered: int = 0


@transaction.atomic
def record_success(source_id: int, request: FetchRequest, fetched: Fetched, *, now: datetime) -> PollResult:
    """Store what came back. Items and validators are committed together: no crash can lose an item."""
    source = _locked(source_id)
    if source is None or source.url != request.url:
        return _discarded(source_id, source)
    stored = items.store(source, fetched.items, now=now)
    moved = _follow_redirect(source, fetched.permanent_url, now)
    _note_success(
        source, fetched, stored, weekly=items.weekly_counts([source_id], now=now)[source_id], now=now
    )
    source.save()
    return _result(source, fetched, stored, moved)


def _note_success(
    source: Source, fetched: Fetched, stored: items.Stored, *, weekly: int | None, now: datetime
) -> None:
    source.etag = fetched.etag
    source.last_modified = fetched.last_modified
    source.body_hash = fetched.body_hash
    source.language = source.language or fetched.language
    source.last_success_at = now
    source.last_status = fetched.status
    source.last_error = ""
    source.consecutive_failures = 0
    source.consecutive_parse_failures = 0
    source.gone_at = None
    if stored.new or stored.updated:
        source.last_changed_at = now
    source.next_poll_at = now + cadence.after_success(
        weekly_items=weekly,
        quiet_for=fetched.quiet_for,
        shortest=source.min_interval,
        longest=source.max_interval,
    )


def _result(source: Source, fetched: Fetched, stored: items.Stored, moved: str = "") -> PollResult:
    return PollResult(
        source.pk,
        source.name,
        "changed" if stored.new or stored.updated or stored.skipped else "unchanged",
        new=stored.new,
        updated=stored.updated,
        skipped=stored.skipped,
        items_found=len(fetched.items),
        items=tuple(
            FoundItem(item.title, item.url, item.published_at or item.updated_at)
            for item in fetched.items[:_SHOWN_ITEMS]
        ),
        next_poll_at=source.next_poll_at,
        notes=(*fetched.notes, moved) if moved else fetched.notes,
    )


def _discarded(source_id: int, source: Source | None) -> PollResult:
    note = "The source was changed while it was read; what came back is not used."
    return PollResult(source_id, source.name if source else "", "discarded", notes=(note,))


@transaction.atomic
def record_failure(source_id: int, request: FetchRequest, error: SourceError, *, now: datetime) -> None:
    """Note that a poll did not work, and wait longer each time."""
    _hold_host(request, error, now)
    source = _locked(source_id)
    if source is None or source.url != request.url:
        return
    _note_failure(source, error, now)
    source.save()


def _hold_host(request: FetchRequest, error: SourceError, now: datetime) -> None:
    if isinstance(error, SourceUnavailable) and error.is_host_busy:
        host = pace.host_of(request.url)
        pace.hold(host, now=now, seconds=error.retry_after, reason=f"status {error.status}")


def _note_failure(source: Source, error: SourceError, now: datetime) -> None:
    source.last_error = str(error)
    source.last_status = error.status
    source.consecutive_failures += 1
    source.consecutive_parse_failures += isinstance(error, SourceUnreadable)
    if isinstance(error, SourceGone):
        source.gone_at = now
    source.next_poll_at = now + cadence.after_failure(
        failures=source.consecutive_failures,
        retry_after=error.retry_after if isinstance(error, SourceUnavailable) else None,
        shortest=source.min_interval,
        longest=source.max_interval,
    )


@dataclass(frozen=True)
class Outcome:
    """What came back for one claim: a document without anything new, or a failure."""

    source_id: int
    request: FetchRequest
    came: Fetched | SourceError


def is_simple(came: Fetched | SourceError) -> bool:
    """Whether `record_simple` can note it: nothing to store, and the address stays."""
    return isinstance(came, SourceError) or (not came.items and came.permanent_url is None)


@transaction.atomic
def record_simple(outcomes: Sequence[Outcome], *, now: datetime) -> dict[int, PollResult | None]:
    """What `record_success` and `record_failure` do, for many polls that brought no items, in a few queries.

    Gives the result of each source, None for a failure.
    """
    for outcome in sorted(outcomes, key=lambda outcome: pace.host_of(outcome.request.url)):
        if isinstance(outcome.came, SourceError):
            _hold_host(outcome.request, outcome.came, now)
    rows = Source.objects.filter(pk__in=[outcome.source_id for outcome in outcomes]).order_by("pk")
    sources = {source.pk: source for source in rows.select_for_update()}
    weekly = items.weekly_counts(sources, now=now)
    results: dict[int, PollResult | None] = {}
    noted = []
    for outcome in outcomes:
        pk, came = outcome.source_id, outcome.came
        source = sources.get(pk)
        results[pk] = None
        if source is None or source.url != outcome.request.url:
            if isinstance(came, Fetched):
                results[pk] = _discarded(pk, source)
            continue
        if isinstance(came, Fetched):
            _forget_redirect(source)
            _note_success(source, came, items.Stored(), weekly=weekly[pk], now=now)
            results[pk] = _result(source, came, items.Stored())
        else:
            _note_failure(source, came, now)
        noted.append(source)
    _write(noted)
    return results


#: The columns that polls change, with the types of arrays of them.
_WRITTEN = {
    "id": "bigint", "etag": "text", "last_modified": "text", "body_hash": "text", "language": "text",
    "last_success_at": "timestamptz", "last_status": "smallint", "last_error": "text",
    "consecutive_failures": "int", "consecutive_parse_failures": "int", "gone_at": "timestamptz",
    "redirect_url": "text", "redirect_first_seen_at": "timestamptz", "redirect_sightings": "int",
    "next_poll_at": "timestamptz",
}  # fmt: skip
_WRITE = (
    f"UPDATE publishing_source AS source SET {', '.join(f'{name} = noted.{name}' for name in list(_WRITTEN)[1:])} "  # noqa: S608 - our own names
    f"FROM unnest({', '.join(f'%s::{kind}[]' for kind in _WRITTEN.values())}) AS noted ({', '.join(_WRITTEN)}) "
    "WHERE source.id = noted.id"
)


def _write(noted: Sequence[Source]) -> None:
    """Save what polls change, all in one statement; the caller holds the locks."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITE, [[getattr(source, name) for source in noted] for name in _WRITTEN])


def postpone_all(source_ids: Iterable[int], *, until: datetime) -> None:
    """Leave sources for later without counting it as a failure."""
    Source.objects.filter(pk__in=list(source_ids)).update(next_poll_at=until)


def _locked(source_id: int) -> Source | None:
    return Source.objects.select_for_update().filter(pk=source_id).first()


def _follow_redirect(source: Source, target: str | None, now: datetime) -> str:
    """Count how often a permanent redirect was seen and rewrite the address once it is believed; says what it did."""
    if target is None or target == source.url or len(target) > 2000:
        _forget_redirect(source)
        return ""
    if source.redirect_url != target or source.redirect_first_seen_at is None:
        source.redirect_url, source.redirect_first_seen_at, source.redirect_sightings = target, now, 0
    source.redirect_sightings += 1
    if (
        source.redirect_sightings < REDIRECT_SIGHTINGS
        or now - source.redirect_first_seen_at < REDIRECT_STABLE_FOR
    ):
        return ""
    if Source.objects.filter(kind=source.kind, url=target).exclude(pk=source.pk).exists():
        return f"The source has moved to {redact(target)}, which another source reads already."
    logger.info("Source %s has moved from %s to %s", source.pk, redact(source.url), redact(target))
    source.url = target
    _forget_redirect(source)
    return f"The source has moved to {redact(target)}; its address was changed."


def _forget_redirect(source: Source) -> None:
    source.redirect_url, source.redirect_first_seen_at, source.redirect_sightings = "", None, 0
