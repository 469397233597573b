"""Publishers: where posts go out."""

from datetime import timedelta

from django.core.validators import MinValueValidator
from django.db import models

from jobs.secrets import SealedField


class Publisher(models.Model):
    """A place that posts are published to. The kind (`publishing.publishers`) says what `settings` and `secrets` hold."""

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=30, help_text="What it speaks to.")
    settings = models.JSONField(default=dict, blank=True)
    secrets = SealedField()
    is_enabled = models.BooleanField("enabled", default=True, help_text="Otherwise its posts wait.")
    lateness = models.DurationField(
        "at most late",
        default=timedelta(hours=1),
        validators=[MinValueValidator(timedelta(minutes=1))],
        help_text="A post that could not be sent so long after its time is missed, and never sent by itself.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("test_publisher", "Can test a publisher"),
            ("enable_publisher", "Can enable and disable a publisher"),
        ]
        constraints = [
            # So a post is on the built-in site once, and the site's pages have one publisher to ask for.
            models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(kind="site"),
                name="publishing_publisher_one_site",
                violation_error_code="unique",
                violation_error_message="There is one built-in blog, and a publisher for it already.",
            ),
        ]

    def __str__(self) -> str:
        return self.name
