"""Publications: one post at one publisher, and every attempt to get it there."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from publishing.models.post import Post
from publishing.models.publisher import Publisher


class PublicationQuerySet(models.QuerySet["Publication"]):
    """Questions about many publications."""

    def open(self) -> Self:
        """Those that something is still to become of by itself."""
        return self.filter(state__in=Publication.State.undecided())

    def due(self, at: datetime) -> Self:
        """Those that a worker has something to do for, the most overdue first; nobody is at work on them.

        What waits at a disabled publisher is due once it is too late for it: then it is missed.
        """
        is_too_late = Q(due_at__lte=at - F("publisher__lateness"))
        return (
            self.open()
            .filter(Q(leased_until=None) | Q(leased_until__lte=at), next_attempt_at__lte=at)
            .filter(Q(publisher__is_enabled=True) | ~Q(state=Publication.State.WAITING) | is_too_late)
            .exclude(post__status__in=Post.Status.undecided())
            .order_by("next_attempt_at", "pk")
        )

    def errands(self, at: datetime) -> Self:
        """Published ones that are to be changed or taken back there now; nobody is at work on them."""
        return (
            self.filter(Q(leased_until=None) | Q(leased_until__lte=at), next_attempt_at__lte=at)
            .filter(state=Publication.State.PUBLISHED, publisher__is_enabled=True)
            .exclude(errand="")
            .order_by("next_attempt_at", "pk")
        )

    def left_to_people(self) -> Self:
        """Those that nothing more becomes of by itself, although they are not known to be published."""
        State = Publication.State
        return self.filter(Q(state__in=[State.FAILED, State.MISSED]) | _IS_STUCK)


_IS_STUCK = Q(next_attempt_at=None) & (Q(state="unconfirmed") | ~Q(errand=""))


class Publication(models.Model):
    """One post at one publisher.

    States::

        waiting -> sending                          a worker has it; the attempt's row was committed before the call
        sending -> published                        the publisher said so
        sending -> waiting                          it was not sent, or the publisher asked for later
        sending -> failed                           the publisher refused it for good
        sending -> unconfirmed                      it may be there: no answer, half an answer, a killed worker
        unconfirmed -> published | waiting          found there; known not to be there. Only reading tells
        waiting -> missed                           later than the publisher's patience
        failed | missed | unconfirmed -> waiting    a person sends it again
        published -> withdrawn                      a person took it back, and the publisher did

    A published one may have an errand: a change of the post to be carried there, or taking it back. Errands may be
    repeated, so nothing is ever unconfirmed about them.

    `marker` goes out with the post, wherever the other side keeps such a thing: it finds the post again.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Sending"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"
        MISSED = "missed", "Missed"
        WITHDRAWN = "withdrawn", "Withdrawn"

        @classmethod
        def undecided(cls) -> list["Publication.State"]:
            return [cls.WAITING, cls.SENDING, cls.UNCONFIRMED]

    class Errand(models.TextChoices):
        """What is still to be done about one that is published."""

        NONE = "", "None"
        UPDATE = "update", "Change it there"
        WITHDRAW = "withdraw", "Take it back"

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="publications")
    publisher = models.ForeignKey(Publisher, on_delete=models.PROTECT, related_name="publications")
    marker = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=12, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it is in this state.")
    due_at = models.DateTimeField(help_text="When it was to go out.")
    next_attempt_at = models.DateTimeField(null=True, help_text="Empty: nothing more is done by itself.")
    attempts_made = models.PositiveIntegerField(default=0, help_text="How often it was sent.")
    looks_made = models.PositiveIntegerField(default=0, help_text="How often we looked whether it is there.")
    lease = models.UUIDField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    remote_id = models.CharField(max_length=300, blank=True)
    remote_url = models.CharField("address there", max_length=2000, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0, help_text="Which revision of the post is there.")
    errand = models.CharField(max_length=8, choices=Errand, default=Errand.NONE, blank=True)

    objects = PublicationQuerySet.as_manager()

    class Meta:
        ordering = ["-due_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["post", "publisher"], name="publishing_publication_once"),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease__isnull=False), name="publishing_publication_leased"
            ),
            models.CheckConstraint(
                condition=Q(errand="") | Q(state="published"), name="publishing_publication_errand"
            ),
        ]
        indexes = [
            # PublicationQuerySet.due
            models.Index(
                fields=["next_attempt_at", "id"],
                name="publishing_publication_due",
                condition=Q(state__in=["waiting", "sending", "unconfirmed"]) | ~Q(errand=""),
            ),
            # what a publisher has, the newest first: the pages of the built-in site
            models.Index(
                fields=["publisher", "-published_at", "-id"],
                name="publishing_publication_there",
                condition=Q(state="published"),
            ),
            # publishing.troubles
            models.Index(
                fields=["publisher", "state"],
                name="publishing_publication_trouble",
                condition=Q(state__in=["failed", "missed", "unconfirmed"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.post} at {self.publisher}"

    @property
    def is_left_to_people(self) -> bool:
        """Nothing more becomes of it by itself, although it is not known to be published, or to be as it should be."""
        is_undone = self.state == self.State.UNCONFIRMED or self.errand != ""
        return (is_undone and self.next_attempt_at is None) or self.state in (
            self.State.FAILED,
            self.State.MISSED,
        )

    def begin_errand(self, errand: "Publication.Errand") -> None:
        """Let it be changed or taken back there, from now on."""
        self.errand, self.reason = errand, ""
        self.next_attempt_at, self.attempts_made = timezone.now(), 0
        self.save()


class PublicationAttempt(models.Model):
    """One attempt: sending, or looking whether it is there. Its row is committed before the request goes out."""

    class What(models.TextChoices):
        SENT = "sent", "Sent"
        LOOKED = "looked", "Looked for it"
        UPDATED = "updated", "Changed it there"
        WITHDREW = "withdrew", "Took it back"

    class Outcome(models.TextChoices):
        PUBLISHED = "published", "Published"
        LATER = "later", "Not now"
        REFUSED = "refused", "Refused"
        UNKNOWN = "unknown", "Not known"
        FOUND = "found", "Found"
        ABSENT = "absent", "Not there"
        DONE = "done", "Done"

    publication = models.ForeignKey(Publication, on_delete=models.CASCADE, related_name="attempts")
    what = models.CharField(max_length=8, choices=What)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(
        max_length=9, choices=Outcome, blank=True, help_text="Empty: under way, or its worker died."
    )
    status = models.PositiveSmallIntegerField(null=True, help_text="The HTTP status of the answer.")
    message = models.CharField(max_length=500, blank=True)
    run_id = models.UUIDField(null=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.get_what_display()}: {self.get_outcome_display() or 'under way'}"
