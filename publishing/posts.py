"""What people do with posts: write, review, schedule, publish. Admin, API and jobs call these."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from jobs import audit
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing import assessment, publishers
from publishing.feeds.sanitise import clean_html
from publishing.models import Post, PostTransition, Publication, Publisher
from publishing.site.addresses import absolute, post_path

Status = Post.Status

#: Which states people may bring a post to, and from which.
_DECISIONS = {
    Status.IN_REVIEW: {Status.DRAFT},
    Status.APPROVED: {Status.DRAFT, Status.IN_REVIEW},
    Status.DRAFT: {Status.IN_REVIEW, Status.APPROVED, Status.SCHEDULED},
}
#: What people call them.
DECISIONS = {"submit": Status.IN_REVIEW, "approve": Status.APPROVED, "reject": Status.DRAFT}
#: It has gone out, and nothing is under way: it may be changed, and what has it is told.
_THERE = {Status.PUBLISHED, Status.FAILED, Status.MISSED}
_PUBLISHABLE = {Status.DRAFT, Status.APPROVED, Status.SCHEDULED}


#: So many others may take the same address in the same moment.
_MOST_TRIES = 50


class InvalidPost(InvalidInput):
    """The post cannot be like that."""


@transaction.atomic
def write(post: Post, changes: Mapping[str, Any], *, by: AbstractBaseUser | None) -> Post:
    """Make a post, or change one that is not just going out; its HTML is made harmless, its slug its own.

    What is published already is changed wherever it is.

    Raises InvalidPost, IllegalState.
    """
    is_new = post.pk is None
    if not is_new:
        post = _locked(post)
        _require(post, {*Status.undecided(), *_THERE}, "changed")
    for name, value in changes.items():
        setattr(post, name, value)
    post.body_html = clean_html(post.body_html)
    document = assessment.read(post.body_html)
    score = assessment.seo_score(assessment.content_of(post), document)
    post.word_count, post.score = score.word_count, score.total
    _save(post, is_new=is_new)
    assessment.remember(post, document)
    if post.status in _THERE:
        _carry_changes(post, by=by)
    if is_new:
        PostTransition.objects.create(
            post=post, after=post.status, at=timezone.now(), by_id=by.pk if by else None
        )
    audit.record(
        by, post, "Written." if is_new else "Changed.", action=audit.ADDITION if is_new else audit.CHANGE
    )
    return post


def is_out(post: Post) -> bool:
    """Whether readers would see a change of it."""
    return post.status in _THERE


def possible(post: Post) -> set[str]:
    """What its state lets people do with the post now, by the names of these functions and of the decisions.

    They look again, with the post locked; this is for showing what there is.
    """
    found = {name for name, status in DECISIONS.items() if post.status in _DECISIONS[status]}
    if post.status in _PUBLISHABLE:
        found |= {"schedule", "publish"}
    if post.status in Status.undecided():
        found |= {"change", "delete"}
    if post.status in _THERE:
        found.add("change")
        if any(row.state == Publication.State.PUBLISHED for row in post.publications.all()):
            found.add("withdraw")
    return found


def withdraw(post: Post, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Take the post back from every publisher that has it; gives the run that does it.

    Raises IllegalState when none has it, or one cannot take it back.
    """
    with transaction.atomic():
        post = _locked(post)
        _require(post, _THERE, "taken back")
        rows = _published(post)
        if not rows:
            raise IllegalState("No publisher has it.")
        if unable := [str(row.publisher) for row in rows if not _is_able(row, "can_withdraw")]:
            raise IllegalState(f"It cannot be taken back from {', '.join(unable)}.")
        for row in rows:
            row.begin_errand(Publication.Errand.WITHDRAW)
        audit.record(by, post, "Asked to take it back.")
        return _enqueue_errands(post, by=by, trigger=trigger)


@transaction.atomic
def delete(post: Post, *, by: AbstractBaseUser | None) -> None:
    """Delete a post that has not gone out. Raises IllegalState."""
    post = _locked(post)
    _require(post, set(Status.undecided()), "deleted")
    audit.record(by, post, "Deleted.", action=audit.DELETION)
    post.delete()


def _save(post: Post, *, is_new: bool) -> None:
    """Check and save it under an address of its own, also when others are looking for one at the same time."""
    wished = post.slug
    for _ in range(_MOST_TRIES):
        post.slug = wished if wished and not is_new else _free_slug(wished or post.title)
        try:
            post.full_clean()
        except ValidationError as error:
            raise InvalidPost(error.message_dict) from error
        try:
            with transaction.atomic():
                return post.save()
        except IntegrityError:  # somebody else took the address in this moment; now it can be seen
            continue
    raise InvalidPost({"slug": ["Another post has this address."]})


def address_of(post: Post) -> str:
    """Where readers will find it, as far as that is known: its own word, or the built-in site."""
    return post.canonical_url or absolute(post_path(post.slug))


def _free_slug(text: str) -> str:
    """The address made of a wish or a title; with a number when another post has it."""
    longest = 90
    wished = slugify(text)[:longest].strip("-") or "post"
    taken = set(Post.objects.filter(slug__startswith=wished).values_list("slug", flat=True))
    numbered = (f"{wished}-{number}" for number in count(2))
    return wished if wished not in taken else next(slug for slug in numbered if slug not in taken)


def decide(post: Post, status: Post.Status, *, by: AbstractBaseUser | None, note: str = "") -> Post:
    """Bring a post to review, approve it, or send it back to draft. Raises IllegalState."""
    with transaction.atomic():
        post = _locked(post)
        if post.status not in _DECISIONS.get(status, set()):
            raise IllegalState(f"A post that is {_words(post.status)} cannot become {_words(status)}.")
        if status == Status.DRAFT:
            post.scheduled_at = None
            post.publications.all().delete()
        move(post, status, by=by, note=note)
        audit.record(by, post, f"{Status(status).label}. {note}".strip())
    return post


def schedule(
    post: Post, at: datetime, publishers: Sequence[Publisher], *, by: AbstractBaseUser | None
) -> Post:
    """Let the post go out at a moment to come, to these publishers; one that is scheduled is moved.

    Raises InvalidPost, and IllegalState for one that went out.
    """
    if at <= timezone.now():
        raise InvalidPost({"scheduled_at": ["This moment has passed."]})
    with transaction.atomic():
        post = _locked(post)
        _require(post, _PUBLISHABLE, "scheduled")
        _choose(post, publishers, due_at=at)
        post.scheduled_at = at
        move(post, Status.SCHEDULED, by=by)
        audit.record(by, post, f"Scheduled for {at:%Y-%m-%d %H:%M} UTC.")
    return post


def publishers_of(post: Post) -> list[Publisher]:
    """Where it goes out unless somebody says otherwise: where it is scheduled for, or else its agent's publishers."""
    scheduled = list(Publisher.objects.filter(publications__post=post))
    return scheduled or (list(post.agent.publishers.all()) if post.agent is not None else [])


def publish_now(
    post: Post, publishers: Sequence[Publisher], *, by: AbstractBaseUser | None, trigger: JobRun.Trigger
) -> JobRun:
    """Let the post go out now; gives the run that does it. Raises InvalidPost, IllegalState."""
    with transaction.atomic():
        post = _locked(post)
        _require(post, _PUBLISHABLE, "published")
        _choose(post, publishers, due_at=timezone.now())
        audit.record(by, post, "Asked to publish it now.")
        return begin(post, by=by, trigger=trigger)


def claim_due(most: int, *, at: datetime) -> list[Post]:
    """The posts whose time has come, locked by this transaction; what another has claimed is left out."""
    return list(Post.objects.due(at).select_for_update(skip_locked=True, of=("self",))[:most])


def begin(post: Post, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Queue the run that publishes a post which is locked by this transaction."""
    move(post, Status.PUBLISHING, by=by)
    return enqueue(get_job("publishing.publish_post"), {"post_id": post.pk}, trigger=trigger, requested_by=by)


def move(post: Post, status: str, *, by: AbstractBaseUser | None = None, note: str = "") -> None:
    """Write a step of the post's way. The caller has locked it and knows that the step is allowed."""
    before, post.status = post.status, status
    if status == Status.PUBLISHED and post.published_at is None:
        post.published_at = timezone.now()
    post.save(update_fields=["status", "scheduled_at", "published_at", "updated_at"])
    PostTransition.objects.create(
        post=post,
        before=before,
        after=status,
        at=timezone.now(),
        by_id=by.pk if by else None,
        note=note[:500],
    )


def follow_publications(post_id: int) -> None:
    """Bring the post to the state that follows from its publications. Locks it."""
    post = Post.objects.select_for_update().get(pk=post_id)
    status = following(set(post.publications.values_list("state", flat=True)))
    if post.status != status and post.status not in Status.undecided():
        move(post, status)


def following(states: set[str]) -> str:
    State = Publication.State
    if states & {State.WAITING, State.SENDING}:
        return Status.PUBLISHING
    for state, status in (
        (State.UNCONFIRMED, Status.UNCONFIRMED),
        (State.FAILED, Status.FAILED),
        (State.MISSED, Status.MISSED),
    ):
        if state in states:
            return status
    return (
        Status.PUBLISHED if State.PUBLISHED in states or State.WITHDRAWN not in states else Status.WITHDRAWN
    )


def _carry_changes(post: Post, *, by: AbstractBaseUser | None) -> None:
    """Let every publisher that has the post get its new text. Where that cannot be, the publication says so."""
    post.revision += 1
    post.save(update_fields=["revision"])
    rows = _published(post)
    able = [row for row in rows if _is_able(row, "can_update") and row.errand != Publication.Errand.WITHDRAW]
    for row in able:
        row.begin_errand(Publication.Errand.UPDATE)
    for row in rows:
        if not _is_able(row, "can_update"):
            row.reason = "It was changed here, and cannot be changed there."
            row.save(update_fields=["reason"])
    if able:
        _enqueue_errands(post, by=by, trigger=JobRun.Trigger.CODE)


def _enqueue_errands(post: Post, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    job = get_job("publishing.update_publications")
    return enqueue(job, {"post_id": post.pk}, trigger=trigger, requested_by=by)


def _published(post: Post) -> list[Publication]:
    rows = post.publications.select_for_update(of=("self",)).select_related("publisher")
    return list(rows.filter(state=Publication.State.PUBLISHED).order_by("pk"))


def _is_able(row: Publication, what: str) -> bool:
    return bool(getattr(publishers.find_kind(row.publisher.kind), what, False))


def _choose(post: Post, publishers: Sequence[Publisher], *, due_at: datetime) -> None:
    if not publishers:
        raise InvalidPost({"publishers": ["Choose at least one publisher."]})
    if disabled := [str(publisher) for publisher in publishers if not publisher.is_enabled]:
        raise InvalidPost({"publishers": [f"{', '.join(disabled)} is disabled."]})
    post.publications.exclude(publisher__in=publishers).delete()
    for publisher in publishers:
        Publication.objects.update_or_create(
            post=post, publisher=publisher, defaults={"due_at": due_at, "next_attempt_at": due_at}
        )


def _locked(post: Post) -> Post:
    return Post.objects.select_for_update().get(pk=post.pk)


def _require(post: Post, allowed: set[Post.Status], what: str) -> None:
    if post.status not in allowed:
        raise IllegalState(f"A post that is {_words(post.status)} cannot be {what}.")


def _words(status: str) -> str:
    return str(Status(status).label).lower()
