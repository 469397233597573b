"""What people do with sources and items. Admin and API call these; each change leaves an audit row."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from jobs import audit
from jobs.definitions import enqueue, get_job
from jobs.models import JobRun
from publishing.models import FeedItem, ItemUse, Source
from publishing.models.item import FeedItemQuerySet

#: What people edit; the rest of a source is written by polls.
_SETTINGS = (
    "name", "kind", "url", "options", "language", "backfill_limit", "min_interval", "max_interval",
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
    """Queue a run that polls the source now. `auto_generate`: whether agents write of what is new; None: as it says."""
    audit.record(by, source, "Asked for a poll" + (" of everything." if force else "."))
    parameters = {"source_id": source.pk, "force": force, "auto_generate": auto_generate}
    return enqueue(get_job("publishing.monitor_feed"), parameters, trigger=trigger, requested_by=by)


@transaction.atomic
def test(source: Source, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Queue a run that fetches the source and shows what it gives, without storing anything."""
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


def _locked(source: Source) -> Source:
    return Source.objects.select_for_update().get(pk=source.pk)


def _begin_again(source: Source) -> None:
    Source.objects.filter(pk=source.pk).update(next_poll_at=timezone.now(), **_UNKNOWN)
