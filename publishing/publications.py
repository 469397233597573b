"""Getting a post to a publisher exactly once.

The one request that publishes is made at most once for each attempt, and its attempt's row is committed before. After
that the truth is with the other side: unless it said "yes", "no" or "not now", the publication is *unconfirmed*, and
nothing is sent until somebody has looked. A worker that dies in the middle leaves an expired lease: unconfirmed as well.
"""

import logging
import random
import time
import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings as site
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from jobs import audit
from jobs.errors import IllegalState, InvalidParameters
from jobs.secrets import SecretUnreadable
from publishing import posts, publishers, troubles
from publishing.errors import UnknownPublisherKind
from publishing.models import Post, Publication, PublicationAttempt, Publisher
from publishing.publishers import Outgoing, PublishLater, PublishRefused, PublishUnknown, Remote, exchange
from publishing.publishers.base import AnyKind, Settings

logger = logging.getLogger(__name__)

State = Publication.State
What = PublicationAttempt.What
Outcome = PublicationAttempt.Outcome

#: A turn's requests end within this share of its lease: clocks differ, and writing down takes time too.
USABLE = 0.9
#: One request takes at most this share of the lease: there is time to prepare, and for the one that publishes.
EACH = 0.25
#: The wait before another attempt doubles until it is so many times the first.
LONGEST_WAIT = 45
#: A server may still be at work on a request whose answer we did not get: we look after PUBLISHING_SETTLING_SECONDS …
#: … and believe that a post is not there when so many looks in a row did not find it.
ABSENCES = 2
#: So often we look; then a person has to.
MOST_LOOKS = 10
LOOK_YOURSELF = "Look there: then mark it as published, or send it again."


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The right to do one thing for a publication: send it, or look for it."""

    publication: Publication
    lease: uuid.UUID
    attempt: PublicationAttempt
    #: By `time.monotonic`, when everything that is asked for must have ended.
    until: float

    @property
    def is_look(self) -> bool:
        return self.attempt.what == What.LOOKED


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a publication after its turn."""

    state: Publication.State
    outcome: PublicationAttempt.Outcome
    reason: str = ""
    status: int | None = None
    remote: Remote | None = None
    again_in: float | None = None


def carry_out(publication_id: int, *, run_id: uuid.UUID | None = None) -> Publication | None:
    """Do what is due for a publication; None when nothing is, or another worker has it."""
    taken = take(publication_id, run_id=run_id)
    if taken is None:
        return None
    if isinstance(taken, Turn):
        with exchange.ends_by(taken.until, each=EACH * site.PUBLISHING_LEASE_SECONDS):
            verdict = _look(taken) if taken.is_look else _send(taken)
        settle(taken, verdict)
    return Publication.objects.select_related("post", "publisher").get(pk=publication_id)


def take(publication_id: int, *, run_id: uuid.UUID | None) -> Turn | Publication | None:
    """Claim a publication that is due, and commit what is going to be done before it is done.

    Gives the publication itself when nothing is to be asked for: it is missed, or its worker died. None: it is not due.
    """
    now, until = timezone.now(), time.monotonic() + USABLE * site.PUBLISHING_LEASE_SECONDS
    with transaction.atomic():
        _lock_post(publication_id)
        due = Publication.objects.due(now).filter(pk=publication_id)
        row = (
            due.select_for_update(skip_locked=True, of=("self",)).select_related("publisher", "post").first()
        )
        if row is None:
            return None
        if row.state == State.SENDING:
            _abandon(row, now)
            return row
        if row.state == State.WAITING and now >= row.due_at + row.publisher.lateness:
            _miss(row)
            return row
        _close_attempts(row, now, Outcome.UNKNOWN, "The worker that looked died.")
        row.lease = uuid.uuid4()
        row.leased_until = now + timedelta(seconds=site.PUBLISHING_LEASE_SECONDS)
        if row.state == State.WAITING:
            row.state, row.revision = State.SENDING, row.post.revision
            row.attempts_made += 1
        else:
            row.looks_made += 1
        row.save()
        what = What.SENT if row.state == State.SENDING else What.LOOKED
        attempt = row.attempts.create(what=what, began_at=now, run_id=run_id)
        return Turn(publication=row, lease=row.lease, attempt=attempt, until=until)


def settle(turn: Turn, verdict: Verdict) -> bool:
    """Write down what came of a turn; False when the turn was over, because its worker was taken for dead."""
    now = timezone.now()
    with transaction.atomic():
        _lock_post(turn.publication.pk)
        row = Publication.objects.select_for_update().get(pk=turn.publication.pk)
        is_late = row.lease != turn.lease
        # What a late look did not find proves nothing: it may have been at the same time as another.
        is_void = is_late and verdict.outcome == Outcome.ABSENT
        PublicationAttempt.objects.filter(pk=turn.attempt.pk).update(
            ended_at=now,
            outcome=Outcome.UNKNOWN if is_void else verdict.outcome,
            status=verdict.status,
            message=verdict.reason[:500],
        )
        if not is_late or _is_believed(row, turn, verdict):
            _become(row, verdict, now)
    return not is_late


def send_again(publication: Publication, *, by: AbstractBaseUser | None) -> None:
    """Send one that failed, was missed or is unconfirmed once more; its time is now. Raises IllegalState."""
    with transaction.atomic():
        row = _decidable(publication, {State.FAILED, State.MISSED, State.UNCONFIRMED}, "sent again")
        row.state, row.reason, row.due_at = State.WAITING, "", timezone.now()
        row.next_attempt_at, row.attempts_made, row.looks_made = row.due_at, 0, 0
        row.save()
        posts.follow_publications(row.post_id)
        audit.record(by, row, "Sent again.")


def confirm(publication: Publication, *, url: str, by: AbstractBaseUser | None) -> None:
    """Somebody has looked: it is there. Raises IllegalState."""
    with transaction.atomic():
        row = _decidable(publication, {State.UNCONFIRMED}, "confirmed")
        verdict = Verdict(
            state=State.PUBLISHED,
            outcome=Outcome.FOUND,
            reason="Somebody saw it there.",
            remote=Remote(id=row.remote_id, url=url),
        )
        _become(row, verdict, timezone.now())
        audit.record(by, row, f"Confirmed: {url}".strip())


def _decidable(publication: Publication, states: set[Publication.State], what: str) -> Publication:
    _lock_post(publication.pk)
    row = Publication.objects.select_for_update().get(pk=publication.pk)
    now = timezone.now()
    if row.state not in states or (row.leased_until is not None and row.leased_until > now):
        raise IllegalState(f"A publication that is {row.get_state_display().lower()} cannot be {what} now.")
    _close_attempts(row, now, Outcome.UNKNOWN, "The worker that looked died.")
    row.lease = row.leased_until = None
    return row


def _lock_post(publication_id: int) -> None:
    """Always before its publications: whoever schedules a post has it first, too."""
    locked = Post.objects.select_for_update(of=("self",)).filter(publications=publication_id)
    list(locked.values_list("pk"))


def _is_believed(row: Publication, turn: Turn, verdict: Verdict) -> bool:
    """A worker that was taken for dead speaks after all: "it is published" is true whoever says it.

    And if it does not know what became of what it sent, nobody else does, whatever was not found meanwhile.
    """
    if verdict.state == State.PUBLISHED:
        return row.state not in (State.PUBLISHED, State.WITHDRAWN)
    return verdict.outcome == Outcome.UNKNOWN and not turn.is_look and row.state == State.WAITING


def _become(row: Publication, verdict: Verdict, now: datetime) -> None:
    """Bring a locked publication to what its turn has shown."""
    if verdict.remote is not None:
        row.remote_id, row.remote_url = verdict.remote.id[:300], verdict.remote.url[:2000]
        row.published_at = row.published_at or now
    row.state, row.reason = verdict.state, verdict.reason[:500]
    row.next_attempt_at = None
    if verdict.again_in is not None:
        row.next_attempt_at = now + timedelta(seconds=verdict.again_in)
        if row.state == State.WAITING:  # at the latest when it is missed
            row.next_attempt_at = min(row.next_attempt_at, row.due_at + row.publisher.lateness)
    row.lease = row.leased_until = None
    row.save()
    posts.follow_publications(row.post_id)
    if row.is_left_to_people:
        troubles.tell(row)


def _send(turn: Turn) -> Verdict:
    try:
        kind, settings = opened(turn.publication.publisher)
    except PublishRefused as error:
        return Verdict(state=State.FAILED, outcome=Outcome.REFUSED, reason=str(error))
    try:
        remote = kind.send(outgoing(turn.publication), settings)
    except PublishRefused as error:
        return Verdict(state=State.FAILED, outcome=Outcome.REFUSED, reason=str(error), status=error.status)
    except PublishLater as error:
        wait = max(wait_before(turn.publication.attempts_made), error.retry_after or 0)
        return Verdict(
            state=State.WAITING, outcome=Outcome.LATER, reason=str(error), status=error.status, again_in=wait
        )
    except PublishUnknown as error:
        return _unknown(str(error), error.status, can_find=kind.can_find(settings))
    except Exception as error:
        # A bug of the kind, after its request or before: nobody knows.
        logger.exception("Publishing %s broke.", turn.publication)
        return _unknown(f"{type(error).__name__}: {error}", None, can_find=kind.can_find(settings))
    return Verdict(state=State.PUBLISHED, outcome=Outcome.PUBLISHED, status=remote.status, remote=remote)


def _look(turn: Turn) -> Verdict:
    row = turn.publication
    try:
        kind, settings = opened(row.publisher)
        remote = kind.find(outgoing(row), settings)
    except (PublishLater, PublishRefused) as error:
        return _still_unknown(
            row, f"Nobody knows whether it is there: {error}", error.status, Outcome.UNKNOWN
        )
    except Exception as error:
        logger.exception("Looking for %s broke.", row)
        return _still_unknown(row, f"{type(error).__name__}: {error}", None, Outcome.UNKNOWN)
    if remote is not None:
        reason = "Found there; the answer had been lost."
        return Verdict(
            state=State.PUBLISHED, outcome=Outcome.FOUND, reason=reason, status=remote.status, remote=remote
        )
    before = row.attempts.exclude(pk=turn.attempt.pk).order_by("-pk").values_list("outcome", flat=True)
    if list(before[: ABSENCES - 1]) == [Outcome.ABSENT] * (ABSENCES - 1):
        return Verdict(state=State.WAITING, outcome=Outcome.ABSENT, reason="It is not there.", again_in=0)
    return _still_unknown(row, "Not found there yet.", None, Outcome.ABSENT)


def _unknown(reason: str, status: int | None, *, can_find: bool) -> Verdict:
    return Verdict(
        state=State.UNCONFIRMED,
        outcome=Outcome.UNKNOWN,
        reason=reason if can_find else f"{reason} {LOOK_YOURSELF}",
        status=status,
        again_in=site.PUBLISHING_SETTLING_SECONDS if can_find else None,
    )


def _still_unknown(
    row: Publication, reason: str, status: int | None, outcome: PublicationAttempt.Outcome
) -> Verdict:
    is_over = row.looks_made >= MOST_LOOKS
    return Verdict(
        state=State.UNCONFIRMED,
        outcome=outcome,
        reason=f"{reason} {LOOK_YOURSELF}" if is_over else reason,
        status=status,
        again_in=None if is_over else max(wait_before(row.looks_made), site.PUBLISHING_SETTLING_SECONDS),
    )


def _abandon(row: Publication, now: datetime) -> None:
    """The worker that was sending it died: the request may have gone out."""
    try:
        kind, settings = opened(row.publisher)
        can_find = kind.can_find(settings)
    except PublishRefused:
        can_find = False
    verdict = _unknown("The worker that sent it died before it knew.", None, can_find=can_find)
    _close_attempts(row, now, verdict.outcome, verdict.reason)
    # Its lease has run out: whatever it sent had its time to settle.
    _become(row, replace(verdict, again_in=0 if can_find else None), now)


def _close_attempts(
    row: Publication, now: datetime, outcome: PublicationAttempt.Outcome, message: str
) -> None:
    row.attempts.filter(ended_at=None).update(ended_at=now, outcome=outcome, message=message[:500])


def _miss(row: Publication) -> None:
    row.state, row.reason = State.MISSED, f"It could not be sent in time. {row.reason}".strip()[:500]
    row.next_attempt_at = row.lease = row.leased_until = None
    row.save()
    posts.follow_publications(row.post_id)
    troubles.tell(row)


def opened(publisher: Publisher) -> tuple[AnyKind, Settings]:
    """A publisher's kind and settings, secrets included; raises PublishRefused when they cannot be had."""
    try:
        kind = publishers.get_kind(publisher.kind)
        return kind, kind.read({**publisher.settings, **publisher.secrets.open()})
    except (UnknownPublisherKind, InvalidParameters, SecretUnreadable) as error:
        raise PublishRefused(f"{publisher} cannot be used: {error}") from error


def outgoing(row: Publication) -> Outgoing:
    """The post as it goes out to the publisher."""
    post = row.post
    return Outgoing(
        marker=row.marker,
        title=post.title,
        slug=post.slug,
        body_html=post.body_html,
        excerpt=post.excerpt,
        language=post.language,
        tags=tuple(post.tags),
        keywords=tuple(post.keywords),
        meta_title=post.meta_title,
        meta_description=post.meta_description,
        canonical_url=post.canonical_url,
        published_at=row.due_at,
    )


def wait_before(number: int) -> float:
    """Seconds to wait after so many attempts: it doubles, and is drawn from its half to the whole."""
    whole = site.PUBLISHING_RETRY_SECONDS * min(2 ** min(number - 1, 20), LONGEST_WAIT)
    return random.uniform(whole / 2, whole)  # noqa: S311 - spreads load, guards nothing
