"""The ledger of items: what every source has ever given, and what became of it."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from publishing.models.source import Source


class FeedItemQuerySet(models.QuerySet["FeedItem"]):
    """Questions about many items."""

    def kept(self) -> Self:
        """Items that nobody removed."""
        return self.filter(removed_at=None)

    def waiting(self) -> Self:
        """Items nothing was made of yet, the oldest first."""
        return self.kept().filter(state=FeedItem.State.SEEN).order_by("fetched_at", "pk")


class FeedItem(models.Model):
    """One item of a source. `identity` names it for ever; see `publishing.feeds.identity`.

    States::

        seen -> queued -> generated | failed      a post is to be made of it, was made, could not be made
        seen -> skipped                           nothing is to be made of it; `state_reason` says why
        generated | skipped | failed -> seen      replayed

    A removed item stays as a tombstone without its text, so that the next poll does not bring it back.
    """

    class State(models.TextChoices):
        SEEN = "seen", "Seen"
        QUEUED = "queued", "Queued"
        GENERATED = "generated", "Generated"
        SKIPPED = "skipped", "Skipped"
        FAILED = "failed", "Failed"

        @classmethod
        def ended(cls) -> list["FeedItem.State"]:
            """Where an item stays until somebody replays it."""
            return [cls.GENERATED, cls.SKIPPED, cls.FAILED]

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="items")
    identity = models.CharField(max_length=80)
    fingerprint = models.CharField(max_length=64)
    url = models.CharField("address", max_length=2000, blank=True)
    title = models.CharField(max_length=2000, blank=True)
    author = models.CharField(max_length=2000, blank=True)
    summary_html = models.TextField("summary", blank=True)
    content_html = models.TextField("content", blank=True)
    language = models.CharField(max_length=35, blank=True)
    categories = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    enclosures = models.JSONField(default=list, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    author_updated_at = models.DateTimeField(
        null=True, blank=True, help_text="When the source says it was changed."
    )
    fetched_at = models.DateTimeField(default=timezone.now, help_text="When we saw it first.")
    changed_at = models.DateTimeField(null=True, blank=True, help_text="When we last saw a change.")
    state = models.CharField(max_length=12, choices=State, default=State.SEEN)
    state_reason = models.CharField(max_length=200, blank=True)
    replays = models.PositiveIntegerField(
        default=0, editable=False, help_text="How often it was put back to be used again."
    )
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = FeedItemQuerySet.as_manager()

    class Meta:
        ordering = ["-fetched_at", "-pk"]
        permissions = [("replay_feeditem", "Can put items back to be used again")]
        constraints = [
            models.UniqueConstraint(fields=["source", "identity"], name="publishing_item_identity"),
        ]
        indexes = [
            # publishing.polling.items.weekly_count
            models.Index(fields=["source", "-fetched_at"], name="publishing_item_newest"),
            # the API's pages and FeedItemQuerySet.waiting
            models.Index(fields=["fetched_at", "id"], name="publishing_item_page"),
            models.Index(
                fields=["fetched_at"],
                name="publishing_item_waiting",
                condition=models.Q(state="seen", removed_at=None),
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.url or self.identity
