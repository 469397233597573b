"""Polling one source: claim it, fetch, record. See `publishing.polling.round` for polling many."""

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from jobs.context import ActiveRun
from publishing import sources
from publishing.errors import SourceError, SourceRejected, SourceUnavailable
from publishing.models import Source
from publishing.polling import items, pace
from publishing.polling.record import PollResult, record_failure, record_success
from publishing.sources import Earlier, Fetched, FetchRequest

logger = logging.getLogger(__name__)

#: How soon a source is polled again if this process dies in the middle of it.
_AFTER_CRASH = timedelta(minutes=15)
#: How long a poll by hand waits for a host that another worker is asking, in seconds.
_MAX_WAIT_SECONDS = 60.0
_PREVIEW_ITEMS = 10


@dataclass(frozen=True)
class Claim:
    """A source that is ours to poll now."""

    source_id: int
    name: str
    kind: str
    host: str
    request: FetchRequest


@dataclass(frozen=True)
class PreviewItem:
    """An item as a poll would store it."""

    title: str
    url: str
    author: str
    published_at: datetime | None
    has_content: bool


@dataclass(frozen=True)
class Preview:
    """What a source gives now; nothing of it is stored."""

    title: str
    language: str
    item_count: int
    items: tuple[PreviewItem, ...]
    permanent_url: str | None
    notes: tuple[str, ...]


def claim(source_id: int, *, now: datetime, run_id: UUID | None, only_due: bool = True) -> Claim | None:
    """Take a source for polling; None if it is not due any more.

    The next time is written before the fetch, by one conditional update: two workers never take the same source,
    and a process that dies in the middle cannot poll it in a loop.
    """
    wanted = Source.objects.due(now) if only_due else Source.objects.all()
    taken = (
        wanted.filter(pk=source_id)
        .order_by()
        .update(next_poll_at=now + _AFTER_CRASH, last_polled_at=now, last_run_id=run_id)
    )
    return _as_claim(Source.objects.get(pk=source_id)) if taken else None


def claim_due(source_ids: Iterable[int], *, now: datetime, run_id: UUID | None) -> list[Claim]:
    """Take those of the sources that are still due, and that nobody else is taking, all at once.

    Each row is locked and looked at before it is taken; what holds for `claim` holds for each.
    """
    with transaction.atomic():
        due = Source.objects.due(now).filter(pk__in=list(source_ids)).order_by("pk")
        taken = list(due.select_for_update(skip_locked=True))
        Source.objects.filter(pk__in=[source.pk for source in taken]).update(
            next_poll_at=now + _AFTER_CRASH, last_polled_at=now, last_run_id=run_id
        )
    return [_as_claim(source) for source in taken]


def _as_claim(source: Source) -> Claim:
    adapter = sources.get(source.kind) if source.kind in sources.kinds() else None
    request = FetchRequest(
        url=source.url,
        options=source.options,
        etag=source.etag,
        last_modified=source.last_modified,
        body_hash=source.body_hash,
        last_success_at=source.last_success_at,
        earlier=items.earlier(source) if adapter is not None and adapter.wants_earlier else Earlier(),
    )
    return Claim(source.pk, source.name, source.kind, pace.host_of(source.url), request)


def fetch(claim: Claim) -> Fetched:
    """The network part; needs no database. Raises SourceError."""
    try:
        return sources.get(claim.kind).fetch(claim.request)
    except SourceError:
        raise
    except Exception as error:  # an adapter must not take the whole round down with it
        logger.exception("The %s source %s failed unexpectedly", claim.kind, claim.source_id)
        raise SourceRejected(f"Reading it failed unexpectedly: {type(error).__name__}.") from error


def poll_source(run: ActiveRun, source_id: int, *, force: bool = False) -> PollResult:
    """Poll one source now, due or not.

    `force` reads it completely, whatever was there last time, and although its host asked for quiet. Raises
    SourceUnavailable to be tried again later, SourceRejected for what trying again does not change.
    """
    source = _existing(source_id)
    if not source.is_polled:
        raise SourceRejected("There is nothing to poll: the items of this source are added by hand.")
    host = pace.host_of(source.url)
    hold = pace.hold_on(host, timezone.now())
    if hold is not None and not force:
        seconds = (hold.until - timezone.now()).total_seconds()
        raise SourceUnavailable(f"{host} asked for quiet: {hold.reason}", retry_after=seconds)
    with _alone_with(run, host):
        taken = claim(source_id, now=timezone.now(), run_id=run.id, only_due=False)
        if taken is None:
            raise SourceRejected("The source was deleted meanwhile.")
        taken = replace(taken, request=replace(taken.request, force=force))
        run.sleep((pace.take_turn(host, timezone.now()) - timezone.now()).total_seconds())
        try:
            fetched = fetch(taken)
        except SourceError as error:
            record_failure(source_id, taken.request, error, now=timezone.now())
            raise
    return record_success(source_id, taken.request, fetched, now=timezone.now())


def preview(source_id: int) -> Preview:
    """Fetch and read a source completely without storing anything. Raises SourceError."""
    taken = _as_claim(_existing(source_id))
    fetched = fetch(
        replace(taken, request=FetchRequest(taken.request.url, taken.request.options, force=True))
    )
    return Preview(
        title=fetched.title,
        language=fetched.language,
        item_count=len(fetched.items),
        items=tuple(
            PreviewItem(
                item.title, item.url, item.author, item.published_at or item.updated_at, bool(item.best_html)
            )
            for item in fetched.items[:_PREVIEW_ITEMS]
        ),
        permanent_url=fetched.permanent_url,
        notes=fetched.notes,
    )


def _existing(source_id: int) -> Source:
    source = Source.objects.filter(pk=source_id).first()
    if source is None:
        raise SourceRejected(f"There is no source with the id {source_id}.")
    return source


@contextmanager
def _alone_with(run: ActiveRun, host: str) -> Iterator[None]:
    """Wait until no other worker asks this host, then keep it for the block."""
    until = time.monotonic() + _MAX_WAIT_SECONDS
    while not pace.try_enter(host):
        if time.monotonic() > until:
            raise SourceUnavailable(f"Another worker has been asking {host} for a while.", retry_after=60)
        run.sleep(0.2)
    try:
        yield
    finally:
        pace.leave(host)
