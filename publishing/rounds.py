"""What the jobs of publishing do: begin what is due, send, send again, look."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import PermanentError, TransientError
from jobs.models import JobRun
from publishing import errands, posts, publications
from publishing.models import Post, Publication, Publisher
from publishing.publishers import PublishLater, PublishRefused

State = Publication.State

#: A round of sending or looking takes on no more, and nothing after so many seconds; the rest is for the next one.
BATCH, BATCH_SECONDS = 200, 300.0
#: The same for posts whose time has come: they are only queued. They are claimed so many at a time.
BEGUN, BEGUN_SECONDS, CLAIMED = 2000, 30.0, 50


@dataclass
class Published:
    """What became of some publications; the sentences of those that are not published."""

    published: int = 0
    waiting: int = 0
    unconfirmed: int = 0
    failed: int = 0
    missed: int = 0
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class Updated:
    """What became of some errands; the sentences of those that are not done."""

    done: int = 0
    waiting: int = 0
    stuck: int = 0
    reasons: dict[str, str] = field(default_factory=dict)


def begin_due(run: ActiveRun) -> int:
    """Queue a run for each post whose time has come; two schedulers of it never take the same post."""
    begun, until = 0, time.monotonic() + BEGUN_SECONDS
    while begun < BEGUN and time.monotonic() < until:
        with transaction.atomic():
            claimed = posts.claim_due(CLAIMED, at=timezone.now())
            for post in claimed:
                posts.begin(post, by=None, trigger=JobRun.Trigger.CODE)
        for post in claimed:
            run.log(f"{post.title}: due at {post.scheduled_at:%Y-%m-%d %H:%M:%S} UTC")
        begun += len(claimed)
        if len(claimed) < CLAIMED:
            break
        run.check()
    return begun


def publish(run: ActiveRun, post_id: int) -> Published:
    """Send a post to the publishers that wait for it; each is a unit of the run. Raises PermanentError without the post."""
    if not Post.objects.filter(pk=post_id).exists():
        raise PermanentError(f"There is no post {post_id} any more.")
    due = Publication.objects.due(timezone.now()).filter(post_id=post_id, state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True), "Publishing")


def retry(run: ActiveRun) -> Published:
    """Send what waits for another attempt, or for a publisher that was disabled; miss what is too late."""
    due = Publication.objects.due(timezone.now()).filter(state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True)[:BATCH], "Sending again")


def reconcile(run: ActiveRun) -> Published:
    """Look for what is unconfirmed, and for what a dead worker has left."""
    due = Publication.objects.due(timezone.now()).exclude(state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True)[:BATCH], "Looking")


def update(run: ActiveRun, post_id: int | None) -> Updated:
    """Change there, or take back, what was changed or taken back here."""
    due = Publication.objects.errands(timezone.now())
    if post_id is not None:
        due = due.filter(post_id=post_id)
    result, until = Updated(), time.monotonic() + BATCH_SECONDS
    for publication_id in run.track(list(due.values_list("pk", flat=True)[:BATCH]), "Changing"):
        if time.monotonic() > until:
            run.log("The rest is for the next round.")
            break
        row = errands.carry_out(publication_id, run_id=run.id)
        if row is not None:
            _count_errand(run, result, row)
    return result


def test(publisher_id: int) -> str:
    """Try a publisher without publishing; raises PermanentError or TransientError with the reason."""
    publisher = Publisher.objects.filter(pk=publisher_id).first()
    if publisher is None:
        raise PermanentError(f"There is no publisher {publisher_id} any more.")
    try:
        kind, settings = publications.opened(publisher)
        return kind.test(settings)
    except PublishLater as error:
        raise TransientError(str(error), retry_after=error.retry_after) from error
    except PublishRefused as error:
        raise PermanentError(str(error)) from error


def _carry_out(run: ActiveRun, ids: Iterable[int], text: str) -> Published:
    result, until = Published(), time.monotonic() + BATCH_SECONDS
    for publication_id in run.track(list(ids), text):
        if time.monotonic() > until:
            run.log("The rest is for the next round.")
            break
        row = publications.carry_out(publication_id, run_id=run.id)
        if row is not None:
            _count(run, result, row)
    return result


def _count(run: ActiveRun, result: Published, row: Publication) -> None:
    """Only what is left to people has failed: everything else goes on by itself."""
    setattr(result, row.state, getattr(result, row.state) + 1)
    if row.state == State.PUBLISHED:
        run.unit_succeeded()
        run.log(f"{row}: {row.remote_url or 'published'}")
        return
    name, told = f"{row} ({row.pk})", f"{row.get_state_display()}. {row.reason}"
    result.reasons[name] = row.reason
    if row.is_left_to_people:
        run.unit_failed(name, told)
    else:
        run.log(f"{name}: {told}", level=logging.WARNING)


def _count_errand(run: ActiveRun, result: Updated, row: Publication) -> None:
    name, told = f"{row} ({row.pk})", f"{row.get_state_display()}. {row.reason}"
    if not row.errand:
        result.done += 1
        run.unit_succeeded()
        run.log(f"{name}: {told}")
        return
    result.reasons[name] = row.reason
    if row.is_left_to_people:
        result.stuck += 1
        run.unit_failed(name, told)
    else:
        result.waiting += 1
        run.log(f"{name}: {told}", level=logging.WARNING)
