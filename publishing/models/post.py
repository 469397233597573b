"""Posts, and every step of their way."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from publishing.models.agent import Agent


class PostQuerySet(models.QuerySet["Post"]):
    """Questions about many posts."""

    def due(self, at: datetime) -> Self:
        """Scheduled posts whose time has come, the most overdue first."""
        return self.filter(status=Post.Status.SCHEDULED, scheduled_at__lte=at).order_by("scheduled_at", "pk")

    def complete(self) -> Self:
        """With everything that is known of each: where it goes, what it stands on, how it was written."""
        return self.select_related("agent", "created_by", "generation").prefetch_related(
            "transitions__by", "sources", "publications", "generation__steps", "generation__usage"
        )

    def public(self) -> Self:
        """What anybody may read."""
        return self.filter(status=Post.Status.PUBLISHED)


class Post(models.Model):
    """Something written, on its way to its readers.

    States::

        draft -> in_review -> approved -> scheduled      what people decide; each may go back to draft
        draft | approved | scheduled -> publishing       its time has come, or somebody published it now
        publishing -> published                          every publisher has it
        publishing -> unconfirmed                        one may have it: it did not say; nothing is sent until that is known
        publishing -> failed | missed                    one refused it; it could not be sent in time
        unconfirmed -> published | publishing            found there; known not to be there
        failed | missed -> publishing                    somebody sends it again
        published -> withdrawn                           somebody took it back, and no publisher has it any more

    The state from `publishing` on follows from its publications (`publishing.publications`).
    """

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        SCHEDULED = "scheduled", "Scheduled"
        PUBLISHING = "publishing", "Publishing"
        PUBLISHED = "published", "Published"
        FAILED = "failed", "Failed"
        UNCONFIRMED = "unconfirmed", "Unconfirmed"
        MISSED = "missed", "Missed"
        WITHDRAWN = "withdrawn", "Withdrawn"

        @classmethod
        def undecided(cls) -> list["Post.Status"]:
            """Where people still decide: nothing of it has gone out."""
            return [cls.DRAFT, cls.IN_REVIEW, cls.APPROVED, cls.SCHEDULED]

    agent = models.ForeignKey(
        Agent, on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="posts"
    )
    title = models.CharField(max_length=300)
    slug = models.SlugField(
        max_length=100,
        unique=True,
        blank=True,
        help_text="The last part of its address; made of the title if empty.",
    )
    body_html = models.TextField("text", help_text="HTML; what is not harmless is taken out.")
    excerpt = models.TextField(blank=True, help_text="A sentence or two for lists and feeds.")
    language = models.CharField(max_length=35, default="en", help_text="Such as en or de-AT.")
    tags = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    keywords = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    meta_title = models.CharField(max_length=70, blank=True)
    meta_description = models.CharField(max_length=160, blank=True)
    canonical_url = models.CharField(
        "canonical address", max_length=2000, blank=True, validators=[URLValidator(["http", "https"])]
    )

    revision = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with each change after it went out."
    )
    word_count = models.PositiveIntegerField(default=0, editable=False)
    score = models.PositiveSmallIntegerField(
        null=True, editable=False, help_text="For search engines, 0 to 100; see docs/seo.md."
    )
    notes = ArrayField(
        models.CharField(max_length=500),
        default=list,
        blank=True,
        editable=False,
        help_text="What an editor should know.",
    )
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT, editable=False)
    scheduled_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PostQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        permissions = [
            ("review_post", "Can send posts back or approve them"),
            ("publish_post", "Can schedule and publish posts"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(status="scheduled") | Q(scheduled_at__isnull=False),
                name="publishing_post_scheduled_at",
            ),
            models.CheckConstraint(
                condition=~Q(status="published") | Q(published_at__isnull=False),
                name="publishing_post_published_at",
            ),
        ]
        indexes = [
            # PostQuerySet.due
            models.Index(
                fields=["scheduled_at", "id"], name="publishing_post_due", condition=Q(status="scheduled")
            ),
            # the public pages
            models.Index(
                fields=["-published_at", "-id"],
                name="publishing_post_public",
                condition=Q(status="published"),
            ),
            # lists by state
            models.Index(fields=["status", "-created_at"], name="publishing_post_status"),
            # posts with a tag
            GinIndex(fields=["tags"], name="publishing_post_tags"),
        ]

    def __str__(self) -> str:
        return self.title


class PostTransition(models.Model):
    """One step of a post from state to state. Added, never changed."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="transitions")
    before = models.CharField(max_length=12, blank=True)
    after = models.CharField(max_length=12)
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.before or 'new'} → {self.after}"
