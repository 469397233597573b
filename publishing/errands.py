"""Carrying changes of what is published to where it is, and taking it back. Both may be repeated until they are done.

`publishing.posts` says what is to be done (`write`, `withdraw`); this does it.
"""

import logging
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings as site
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from jobs import audit
from jobs.errors import IllegalState
from publishing import posts, publications, troubles
from publishing.models import Post, Publication, PublicationAttempt
from publishing.publishers import PublishLater, PublishRefused, PublishUnknown, Remote, exchange

logger = logging.getLogger(__name__)

Errand = Publication.Errand
State = Publication.State
What = PublicationAttempt.What
Outcome = PublicationAttempt.Outcome

#: So often one is tried; then a person has to.
MOST_TRIES = 12

_DONE_AS = {Errand.UPDATE: What.UPDATED, Errand.WITHDRAW: What.WITHDREW}


@dataclass(frozen=True, kw_only=True)
class _Ended:
    """How one try went."""

    outcome: PublicationAttempt.Outcome
    reason: str = ""
    status: int | None = None
    remote: Remote | None = None
    retry_after: float = 0

    @property
    def is_done(self) -> bool:
        return self.outcome == Outcome.DONE


def try_again(publication: Publication, *, by: AbstractBaseUser | None) -> None:
    """Try an errand that was left to people once more. Raises IllegalState."""
    with transaction.atomic():
        row = Publication.objects.select_for_update().get(pk=publication.pk)
        if not row.errand or row.next_attempt_at is not None:
            raise IllegalState("There is nothing left to try.")
        row.begin_errand(Errand(row.errand))
        audit.record(by, row, "Tried again.")


def carry_out(publication_id: int, *, run_id: uuid.UUID | None = None) -> Publication | None:
    """Try the errand of a publication that is due; None when none is, or another worker has it."""
    taken = _take(publication_id, run_id)
    if taken is None:
        return None
    row, attempt = taken
    errand, lease, revision = Errand(row.errand), row.lease, row.post.revision
    lasts = site.PUBLISHING_LEASE_SECONDS
    until = time.monotonic() + publications.USABLE * lasts
    with exchange.ends_by(until, each=publications.EACH * lasts):
        ended = _try(row, errand)
    with transaction.atomic():
        list(Post.objects.select_for_update().filter(pk=row.post_id).values_list("pk"))
        kept = Publication.objects.select_for_update(of=("self",)).get(pk=publication_id)
        kept.attempts.filter(pk=attempt.pk).update(
            ended_at=timezone.now(), outcome=ended.outcome, status=ended.status, message=ended.reason[:500]
        )
        if kept.lease == lease:
            _settle(kept, errand, revision, ended)
    return Publication.objects.select_related("post", "publisher").get(pk=publication_id)


def _take(publication_id: int, run_id: uuid.UUID | None) -> tuple[Publication, PublicationAttempt] | None:
    now = timezone.now()
    with transaction.atomic():
        due = Publication.objects.errands(now).filter(pk=publication_id)
        locked = due.select_for_update(skip_locked=True, of=("self",))
        row: Publication | None = locked.select_related("publisher", "post").first()
        if row is None:
            return None
        row.lease = uuid.uuid4()
        row.leased_until = now + timedelta(seconds=site.PUBLISHING_LEASE_SECONDS)
        row.attempts_made += 1
        row.save()
        row.attempts.filter(ended_at=None).update(
            ended_at=now, outcome=Outcome.UNKNOWN, message="The worker died."
        )
        return row, row.attempts.create(what=_DONE_AS[Errand(row.errand)], began_at=now, run_id=run_id)


def _try(row: Publication, errand: Publication.Errand) -> _Ended:
    remote = Remote(id=row.remote_id, url=row.remote_url)
    try:
        kind, settings = publications.opened(row.publisher)
        if errand == Errand.WITHDRAW:
            kind.withdraw(publications.outgoing(row), remote, settings)
            return _Ended(outcome=Outcome.DONE)
        now_there = kind.update(publications.outgoing(row), remote, settings)
        return _Ended(outcome=Outcome.DONE, status=now_there.status, remote=now_there)
    except PublishRefused as error:
        return _Ended(outcome=Outcome.REFUSED, reason=str(error), status=error.status)
    except PublishLater as error:
        wait = error.retry_after or 0
        return _Ended(outcome=Outcome.LATER, reason=str(error), status=error.status, retry_after=wait)
    except PublishUnknown as error:
        return _Ended(outcome=Outcome.UNKNOWN, reason=str(error), status=error.status)
    except Exception as error:  # a bug of the kind: it is tried again, and then left to people
        logger.exception("Changing %s broke.", row)
        return _Ended(outcome=Outcome.UNKNOWN, reason=f"{type(error).__name__}: {error}")


def _settle(row: Publication, errand: Publication.Errand, revision: int, ended: _Ended) -> None:
    now = timezone.now()
    row.lease = row.leased_until = None
    row.reason = ended.reason[:500]
    is_over = ended.outcome == Outcome.REFUSED or row.attempts_made >= MOST_TRIES
    if ended.is_done:
        _finish(row, errand, revision, ended)
    elif is_over:
        row.next_attempt_at = None
    else:
        wait = max(publications.wait_before(row.attempts_made + 1), ended.retry_after)
        row.next_attempt_at = now + timedelta(seconds=wait)
    row.save()
    posts.follow_publications(row.post_id)
    if row.is_left_to_people:
        troubles.tell(row)


def _finish(row: Publication, errand: Publication.Errand, revision: int, ended: _Ended) -> None:
    """It is there as it was sent; what was changed or wished meanwhile is a new errand."""
    if errand == Errand.WITHDRAW:
        row.state, row.errand, row.next_attempt_at = State.WITHDRAWN, Errand.NONE, None
        return
    row.revision = revision
    if ended.remote is not None:
        row.remote_id, row.remote_url = ended.remote.id[:300], ended.remote.url[:2000]
    if row.errand == errand and row.post.revision == revision:
        row.errand, row.next_attempt_at = Errand.NONE, None
    else:
        row.begin_errand(Errand(row.errand))
