"""Sources: where items come from, and how polling them goes."""

from datetime import datetime, timedelta
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Case, F, Q, When
from django.utils import timezone
from pydantic import ValidationError as OptionsError

from publishing import sources
from publishing.errors import UnknownSourceKind

#: After so many unreadable documents in a row a source is left alone until somebody polls it by hand.
MAX_PARSE_FAILURES = 3


class SourceQuerySet(models.QuerySet["Source"]):
    """Questions about many sources."""

    def pollable(self) -> Self:
        """Sources that are polled by themselves: enabled, not gone, not given up on, of a kind that is polled."""
        return self.filter(
            is_enabled=True,
            gone_at=None,
            consecutive_parse_failures__lt=MAX_PARSE_FAILURES,
            kind__in=sources.polled_kinds(),
        )

    def broken(self) -> Self:
        """Those that somebody should look at: gone, unreadable or failing."""
        return self.filter(Q(*(is_in(state) for state in Source.State.broken()), _connector=Q.OR))

    def broken_first(self) -> Self:
        """By how much is wrong: gone, unreadable, failing, then all others by name."""
        return self.order_by(rank_of_trouble(), "name", "pk")

    def due(self, at: datetime) -> Self:
        """Sources to be polled at that time, the most overdue first."""
        return self.pollable().filter(next_poll_at__lte=at).order_by("next_poll_at", "pk")


class Source(models.Model):
    """A place that gives items: a feed, or whatever kinds `publishing.sources` knows.

    Its state follows from its fields::

        new -> ok <-> failing          the outcome of the last poll
        ok | failing -> unreadable     three documents in a row that are no feed; a poll by hand starts again
        any -> gone                    the server said 410; enabling starts again
        any <-> disabled               switched off and on by people
    """

    class State(models.TextChoices):
        NEW = "new", "Not polled yet"
        OK = "ok", "OK"
        FAILING = "failing", "Failing"
        UNREADABLE = "unreadable", "Unreadable"
        GONE = "gone", "Gone"
        DISABLED = "disabled", "Disabled"

        @classmethod
        def broken(cls) -> list["Source.State"]:
            """The states in which nothing comes any more, the worst first."""
            return [cls.GONE, cls.UNREADABLE, cls.FAILING]

    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=40, default="feed", help_text="What the address leads to.")
    url = models.CharField(
        "address",
        max_length=2000,
        blank=True,
        help_text="The http or https address to read. Search feeds make it of their options; texts added by hand have none.",
    )
    options = models.JSONField(default=dict, blank=True, help_text="Settings of this kind of source.")
    language = models.CharField(
        max_length=35, blank=True, help_text="Such as en or de-AT; read from the source if empty."
    )
    is_enabled = models.BooleanField("enabled", default=True)
    backfill_limit = models.PositiveIntegerField(
        default=20, help_text="How many items of the very first poll count as new; older ones are skipped."
    )
    auto_generate = models.BooleanField(
        "write at once",
        default=False,
        help_text="New items are made into posts by the agents that use this source: three at most for each poll.",
    )
    min_interval = models.DurationField(
        default=timedelta(minutes=5),
        validators=[MinValueValidator(timedelta(minutes=1))],
        help_text="Never poll more often than this.",
    )
    max_interval = models.DurationField(
        default=timedelta(hours=24),
        validators=[MinValueValidator(timedelta(minutes=1))],
        help_text="Never wait longer than this.",
    )

    etag = models.CharField(max_length=500, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    body_hash = models.CharField(max_length=64, blank=True, editable=False)

    next_poll_at = models.DateTimeField(default=timezone.now, editable=False)
    last_polled_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    last_changed_at = models.DateTimeField(null=True, editable=False)
    last_status = models.PositiveSmallIntegerField(null=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    last_run_id = models.UUIDField(null=True, editable=False)
    consecutive_failures = models.PositiveIntegerField(default=0, editable=False)
    consecutive_parse_failures = models.PositiveIntegerField(default=0, editable=False)
    gone_at = models.DateTimeField(null=True, editable=False)

    redirect_url = models.CharField(max_length=2000, blank=True, editable=False)
    redirect_first_seen_at = models.DateTimeField(null=True, editable=False)
    redirect_sightings = models.PositiveIntegerField(default=0, editable=False)

    created_at = models.DateTimeField(auto_now_add=True)

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]
        permissions = [
            ("poll_source", "Can poll a source now"),
            ("test_source", "Can test a source"),
            ("reset_source", "Can make a source forget its items"),
            ("enable_source", "Can enable and disable a source"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "url"],
                name="publishing_source_kind_url",
                condition=~Q(url=""),
                violation_error_message="There is a source of this kind with this address already.",
            ),
            models.CheckConstraint(
                condition=Q(min_interval__lte=F("max_interval")),
                name="publishing_source_interval_order",
                violation_error_message="The shortest interval is longer than the longest.",
            ),
        ]
        indexes = [
            # SourceQuerySet.due
            models.Index(
                fields=["next_poll_at"],
                name="publishing_source_due",
                condition=Q(is_enabled=True, gone_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Check what the kind of source asks for: a known kind, an address it can read, its own options."""
        try:
            adapter = sources.get(self.kind)
        except UnknownSourceKind as error:
            raise ValidationError({"kind": str(error)}) from error
        try:
            self.options = adapter.clean_options(self.options)
        except OptionsError as error:
            reasons = [
                f"{'.'.join(map(str, found['loc'])) or 'options'}: {found['msg']}" for found in error.errors()
            ]
            raise ValidationError({"options": reasons}) from error
        self.url = adapter.address(self.url, self.options)
        reason = adapter.why_not(self.url)
        if reason:
            raise ValidationError({"url": reason})

    @property
    def is_polled(self) -> bool:
        """Whether its kind is one that is polled; items of others are added by hand."""
        return self.kind not in sources.kinds() or sources.get(self.kind).is_polled

    @property
    def state(self) -> "Source.State":
        """What there is to say about it now."""
        if not self.is_enabled:
            return self.State.DISABLED
        if self.gone_at is not None:
            return self.State.GONE
        if self.consecutive_parse_failures >= MAX_PARSE_FAILURES:
            return self.State.UNREADABLE
        if self.consecutive_failures:
            return self.State.FAILING
        return self.State.NEW if self.last_success_at is None and self.is_polled else self.State.OK

    def is_due(self, at: datetime) -> bool:
        """Whether the next round polls it."""
        return (
            self.is_polled
            and self.state not in {self.State.DISABLED, self.State.GONE, self.State.UNREADABLE}
            and self.next_poll_at <= at
        )


def is_in(state: str) -> Q:
    """For a query: the same order of questions as `Source.state`."""
    State = Source.State
    disabled, gone = Q(is_enabled=False), Q(gone_at__isnull=False)
    unreadable = Q(consecutive_parse_failures__gte=MAX_PARSE_FAILURES)
    failing = Q(consecutive_failures__gt=0)
    by_hand = set(sources.kinds()) - set(sources.polled_kinds())
    new = Q(last_success_at=None) & ~Q(kind__in=by_hand)
    return {
        State.DISABLED.value: disabled,
        State.GONE.value: ~disabled & gone,
        State.UNREADABLE.value: ~disabled & ~gone & unreadable,
        State.FAILING.value: ~disabled & ~gone & ~unreadable & failing,
        State.NEW.value: ~disabled & ~gone & ~unreadable & ~failing & new,
        State.OK.value: ~disabled & ~gone & ~unreadable & ~failing & ~new,
    }[state]


def rank_of_trouble() -> Case:
    """For a query: the worse the state, the smaller; the same for all that are not broken."""
    ranks = [When(is_in(state), then=rank) for rank, state in enumerate(Source.State.broken())]
    return Case(*ranks, default=len(ranks))
