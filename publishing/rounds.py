"""What the jobs of publishing do: begin what is due, send, send again, look."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.errors import PermanentError, TransientError
from jobs.models import JobRun
from publishing import posts, publications
from publishing.models import Post, Publication, Publisher
from publishing.publishers import PublishLater, PublishRefused

State = Publication.State

#: A round takes on no more; the rest is for the next one.
BATCH = 200


@dataclass
class Published:
    """What became of some publications; the sentences of those that are not published."""

    published: int = 0
    waiting: int = 0
    unconfirmed: int = 0
    failed: int = 0
    missed: int = 0
    reasons: dict[str, str] = field(default_factory=dict)


def begin_due(run: ActiveRun) -> int:
    """Queue a run for each post whose time has come; two schedulers of it never take the same post."""
    begun = 0
    while begun < BATCH:
        with transaction.atomic():
            post = Post.objects.due(timezone.now()).select_for_update(skip_locked=True, of=("self",)).first()
            if post is None:
                break
            posts.begin(post, by=None, trigger=JobRun.Trigger.CODE)
        begun += 1
        run.log(f"{post.title}: due at {post.scheduled_at:%Y-%m-%d %H:%M:%S} UTC")
    return begun


def publish(run: ActiveRun, post_id: int) -> Published:
    """Send a post to the publishers that wait for it; each is a unit of the run. Raises PermanentError without the post."""
    if not Post.objects.filter(pk=post_id).exists():
        raise PermanentError(f"There is no post {post_id} any more.")
    due = Publication.objects.due(timezone.now()).filter(post_id=post_id, state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True), "Publishing")


def retry(run: ActiveRun) -> Published:
    """Send what waits for another attempt, or for a publisher that was disabled."""
    due = Publication.objects.due(timezone.now()).filter(state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True)[:BATCH], "Sending again")


def reconcile(run: ActiveRun) -> Published:
    """Look for what is unconfirmed, and for what a dead worker has left."""
    due = Publication.objects.due(timezone.now()).exclude(state=State.WAITING)
    return _carry_out(run, due.values_list("pk", flat=True)[:BATCH], "Looking")


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
    result = Published()
    for publication_id in run.track(list(ids), text):
        row = publications.carry_out(publication_id, run_id=run.id)
        if row is not None:
            _count(run, result, row)
    return result


def _count(run: ActiveRun, result: Published, row: Publication) -> None:
    setattr(result, row.state, getattr(result, row.state) + 1)
    if row.state == State.PUBLISHED:
        run.unit_succeeded()
        run.log(f"{row}: {row.remote_url or 'published'}")
        return
    result.reasons[f"{row} ({row.pk})"] = row.reason
    run.unit_failed(f"{row} ({row.pk})", f"{row.get_state_display()}. {row.reason}")
