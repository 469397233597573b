"""Generations: one post in the making, every step of it, and what each call of a model cost."""

import uuid
from decimal import Decimal
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from publishing.models.agent import Agent
from publishing.models.item import FeedItem
from publishing.models.post import Post


class GenerationQuerySet(models.QuerySet["Generation"]):
    """Questions about many generations."""

    def with_figures(self) -> Self:
        """With `cost`, `tokens` and `steps_done` of each: what it took so far."""
        used = UsageRecord.objects.filter(generation=OuterRef("pk")).order_by().values("generation")
        steps = GenerationStep.objects.filter(generation=OuterRef("pk")).order_by().values("generation")
        return self.annotate(
            cost=Coalesce(Subquery(used.annotate(sum=Sum("cost")).values("sum")), Decimal(0)),
            tokens=Coalesce(
                Subquery(used.annotate(sum=Sum(F("tokens_in") + F("tokens_out"))).values("sum")), 0
            ),
            steps_done=Coalesce(Subquery(steps.annotate(number=Count("pk")).values("number")), 0),
        )


class Generation(models.Model):
    """One post in the making.

    States::

        running -> done           the post is there
        running -> failed         it could not be written, or its run ended; what was paid stays stored
        failed -> running         its run is retried: only the steps that are missing are made

    While it runs, its post and what it will probably cost count against the agent's quotas.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="generations")
    run_id = models.UUIDField(
        unique=True, default=uuid.uuid4, help_text="The run that writes it, or wrote it last."
    )
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it failed.")
    writer = models.CharField(max_length=30)
    topic = models.CharField(max_length=300, blank=True)
    keyword = models.CharField(max_length=100, blank=True)
    brief = models.JSONField(help_text="Everything that the writer was told.")
    post = models.OneToOneField(Post, on_delete=models.SET_NULL, null=True, related_name="generation")
    reserved_tokens = models.PositiveBigIntegerField(default=0, help_text="Still expected to be used.")
    reserved_cost = models.DecimalField(
        max_digits=15, decimal_places=9, default=0, help_text="Still expected to be paid, in US dollars."
    )
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = GenerationQuerySet.as_manager()

    class Meta:
        ordering = ["-began_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running") | Q(ended_at__isnull=False), name="publishing_generation_ended"
            ),
        ]
        indexes = [
            # publishing.quotas
            models.Index(fields=["agent", "began_at"], name="publishing_generation_quota"),
        ]

    def __str__(self) -> str:
        return f"{self.agent}, {self.began_at:%Y-%m-%d %H:%M} UTC"


class GenerationStep(models.Model):
    """The result of a step that is done. Stored, it is never made and paid again."""

    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=20)
    result = models.JSONField()
    ended_at = models.DateTimeField()

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["generation", "name"], name="publishing_step_once")]

    def __str__(self) -> str:
        return self.name


class UsageRecord(models.Model):
    """One use of a model: what went in and out, what it cost. Added, never changed; also for calls that gave nothing."""

    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="usage")
    generation = models.ForeignKey(Generation, on_delete=models.SET_NULL, null=True, related_name="usage")
    step = models.CharField(max_length=20)
    model = models.CharField(max_length=200)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_cached = models.PositiveBigIntegerField(
        default=0, help_text="Part of the tokens in, at a lower price."
    )
    tokens_out = models.PositiveBigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=1)
    is_estimated = models.BooleanField(default=False, help_text="The other side did not count; we did.")
    is_doubtful = models.BooleanField(
        default=False, help_text="The answer broke off: nobody here knows whether it was billed."
    )
    price_in = models.DecimalField(
        "price of tokens in", max_digits=12, decimal_places=6, null=True, help_text="Dollars a million."
    )
    price_cached = models.DecimalField(
        "price of cached tokens", max_digits=12, decimal_places=6, null=True, help_text="Dollars a million."
    )
    price_out = models.DecimalField(
        "price of tokens out", max_digits=12, decimal_places=6, null=True, help_text="Dollars a million."
    )
    cost = models.DecimalField(max_digits=15, decimal_places=9, default=0, help_text="In US dollars.")
    seconds = models.FloatField(default=0, help_text="How long the model took.")
    has_result = models.BooleanField(default=True, help_text="False when it was paid for nothing.")
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            # publishing.quotas and the statistics
            models.Index(fields=["agent", "at"], name="publishing_usage_quota"),
        ]

    def __str__(self) -> str:
        return f"{self.model}: {self.tokens_in} + {self.tokens_out} tokens"


class ItemUse(models.Model):
    """An item that an agent has taken for a post. One agent makes one post of an item, until somebody replays it."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="item_uses")
    item = models.ForeignKey(FeedItem, on_delete=models.CASCADE, related_name="uses")
    generation = models.ForeignKey(Generation, on_delete=models.CASCADE, related_name="item_uses")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "item"], name="publishing_item_used_once")]

    def __str__(self) -> str:
        return f"{self.item} by {self.agent}"


class PostSource(models.Model):
    """Something that a post stands on, as it was when the post was written."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="sources")
    position = models.PositiveSmallIntegerField()
    item = models.ForeignKey(FeedItem, on_delete=models.SET_NULL, null=True, related_name="posts")
    title = models.CharField(max_length=2000)
    url = models.CharField("address", max_length=2000, blank=True)
    source_name = models.CharField(max_length=200)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["post", "position"], name="publishing_post_source_position")
        ]

    def __str__(self) -> str:
        return self.title


class PostFingerprint(models.Model):
    """The runs of words of a post's text, by which near-duplicates are found (`publishing.seo.duplicates`)."""

    post = models.OneToOneField(Post, on_delete=models.CASCADE, primary_key=True, related_name="fingerprint")
    runs = ArrayField(models.BigIntegerField(), default=list)
    sketch = ArrayField(
        models.BigIntegerField(),
        default=list,
        help_text="The least of the runs: near-duplicates share at least one, but for one pair in billions.",
    )

    class Meta:
        # publishing.assessment
        indexes = [GinIndex(fields=["sketch"], name="publishing_fingerprint_sketch")]

    def __str__(self) -> str:
        return f"Fingerprint of post {self.pk}"
