"""What people do with sources and items. Admin and API call these; each change leaves an audit row."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs import audit
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing.feeds import ParsedItem
from publishing.feeds.identity import by_content
from publishing.feeds.sanitise import clean_html, clean_line, plain_text, web_address
from publishing.models import FeedItem, ItemUse, Source
from publishing.models.item import FeedItemQuerySet
from publishing.polling.items import values_of

#: What people edit; the rest of a source is written by polls.
_SETTINGS = (
    "name", "kind", "url", "options", "language", "backfill_limit", "min_interval", "max_interval",
    "auto_generate",
)  # fmt: skip
#: What is known of a source that was never polled.
_UNKNOWN = {
    "etag": "", "last_modified": "", "body_hash": "", "last_error": "", "last_status": None, "last_success_at": None,
    "gone_at": None, "consecutive_failures": 0, "consecutive_parse_failures": 0,
    "redirect_url": "", "redirect_first_seen_at": None, "redirect_sightings": 0,
}  # fmt: skip
#: What a tombstone does not keep.
_EMPTY = {
    "title": "", "author": "", "summary_html": "", "content_html": "", "categories": [], "enclosures": [],
}  # fmt: skip


@transaction.atomic
def save(source: Source, *, by: AbstractBaseUser | None) -> None:
    """Check and save a new or edited source; raises Django's ValidationError.

    A new address is a new beginning: validators, failures and sightings of redirects belonged to the old one.
    """
    source.full_clean()
    before = Source.objects.select_for_update().filter(pk=source.pk).values("kind", "url").first()
    if before is None:
        source.save()
        audit.record(by, source, f"Made source {source.name}.", action=audit.ADDITION)
        return
    source.save(update_fields=_SETTINGS)
    if (before["kind"], before["url"]) != (source.kind, source.url):
        _begin_again(source)
    audit.record(by, source, f"Changed source {source.name}.")


@transaction.atomic
def delete(source: Source, *, by: AbstractBaseUser | None) -> None:
    """Delete a source and its items."""
    audit.record(by, source, f"Deleted source {source.name} and its items.", action=audit.DELETION)
    source.delete()


@transaction.atomic
def poll(
    source: Source,
    *,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    force: bool = False,
    auto_generate: bool | None = None,
) -> JobRun:
    """Queue a run that polls the source now. Raises IllegalState for one that is not polled.

    `auto_generate`: whether agents write of what is new; None: as the source says.
    """
    _refuse_by_hand(source)
    audit.record(by, source, "Asked for a poll" + (" of everything." if force else "."))
    parameters = {"source_id": source.pk, "force": force, "auto_generate": auto_generate}
    return enqueue(get_job("publishing.monitor_feed"), parameters, trigger=trigger, requested_by=by)


@transaction.atomic
def test(source: Source, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Queue a run that fetches the source and shows what it gives, without storing anything. Raises IllegalState."""
    _refuse_by_hand(source)
    audit.record(by, source, "Asked for a test.")
    parameters = {"source_id": source.pk}
    return enqueue(get_job("publishing.test_source"), parameters, trigger=trigger, requested_by=by)


@transaction.atomic
def enable(source: Source, *, by: AbstractBaseUser | None) -> None:
    """Poll the source by itself again, also one that was gone or given up on; it is due at once."""
    source = _locked(source)
    source.is_enabled = True
    source.gone_at = None
    source.consecutive_failures = 0
    source.consecutive_parse_failures = 0
    source.next_poll_at = timezone.now()
    source.save()
    audit.record(by, source, "Enabled.")


@transaction.atomic
def disable(source: Source, *, by: AbstractBaseUser | None) -> None:
    """Leave the source alone until somebody enables it."""
    Source.objects.filter(pk=source.pk).update(is_enabled=False)
    audit.record(by, source, "Disabled.")


@transaction.atomic
def reset(source: Source, *, by: AbstractBaseUser | None) -> int:
    """Forget everything the source ever gave, tombstones too; the next poll is like its first. Gives the number of items."""
    source = _locked(source)
    _, deleted = source.items.all().delete()
    forgotten = deleted.get("publishing.FeedItem", 0)
    _begin_again(source)
    audit.record(by, source, f"Reset; {forgotten} items forgotten.")
    return forgotten


@transaction.atomic
def add_item(
    source: Source,
    *,
    title: str,
    html: str,
    url: str = "",
    author: str = "",
    categories: Sequence[str] = (),
    published_at: datetime | None = None,
    by: AbstractBaseUser | None,
) -> tuple[FeedItem, bool]:
    """Add a text to a source that is not polled; gives the item, and whether it is new.

    The same title and text is the same item. One that was removed comes back: a person asks for it. Raises
    IllegalState for sources of other kinds, InvalidInput for what is no item.
    """
    if source.is_polled:
        raise IllegalState("The items of this source are polled. Add texts to a source of the kind “manual”.")
    parsed = _by_hand(title, html, url, author, categories, published_at)
    _locked(source)
    item, is_new = FeedItem.objects.get_or_create(
        source=source, identity=parsed.identity, defaults=values_of(parsed)
    )
    if item.removed_at is not None:
        FeedItem.objects.filter(pk=item.pk).update(
            removed_at=None, state=FeedItem.State.SEEN, state_reason="", **values_of(parsed)
        )
        item.refresh_from_db()
        is_new = True
    if is_new:
        audit.record(by, item, f"Added by hand to {source.name}.", action=audit.ADDITION)
    return item, is_new


def _by_hand(
    title: str, html: str, url: str, author: str, categories: Sequence[str], published_at: datetime | None
) -> ParsedItem:
    item = ParsedItem(
        title=clean_line(title),
        content_html=clean_html(html),
        url=web_address(url),
        author=clean_line(author),
        categories=tuple(dict.fromkeys(filter(None, (clean_line(one, 200) for one in categories)))),
        published_at=published_at or timezone.now(),
    )
    problems: dict[str, list[str]] = {}
    if not item.title:
        problems["title"] = ["Enter a title."]
    if not plain_text(item.content_html):
        problems["html"] = ["Enter a text; of what was given, nothing harmless is left."]
    if url.strip() and not item.url:
        problems["url"] = ["Enter an address that begins with http:// or https://, or none."]
    if problems:
        raise InvalidInput(problems)
    return by_content(item)


@transaction.atomic
def replay(items: FeedItemQuerySet, *, by: AbstractBaseUser | None) -> int:
    """Put items back to be used again, those that were removed left out; gives how many."""
    used = items.kept().filter(state__in=FeedItem.State.ended())
    chosen = list(used.select_for_update(of=("self",)))
    ids = [item.pk for item in chosen]
    ItemUse.objects.filter(item__in=ids).delete()
    FeedItem.objects.filter(pk__in=ids).update(
        state=FeedItem.State.SEEN, state_reason="", replays=F("replays") + 1
    )
    for item in chosen:
        audit.record(by, item, "Put back to be used again.")
    return len(chosen)


@transaction.atomic
def remove(items: FeedItemQuerySet, *, by: AbstractBaseUser | None) -> int:
    """Remove items for good: a tombstone without text stays, so that no poll brings them back. Gives how many."""
    chosen = list(items.kept().select_for_update(of=("self",)))
    FeedItem.objects.filter(pk__in=[item.pk for item in chosen]).update(removed_at=timezone.now(), **_EMPTY)
    for item in chosen:
        audit.record(by, item, "Removed.")
    return len(chosen)


def _refuse_by_hand(source: Source) -> None:
    if not source.is_polled:
        raise IllegalState("There is nothing to poll: the items of this source are added by hand.")


def _locked(source: Source) -> Source:
    return Source.objects.select_for_update().get(pk=source.pk)


def _begin_again(source: Source) -> None:
    Source.objects.filter(pk=source.pk).update(next_poll_at=timezone.now(), **_UNKNOWN)
