import datetime

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="HostPace",
            fields=[
                ("host", models.CharField(max_length=300, primary_key=True, serialize=False)),
                ("next_request_at", models.DateTimeField()),
                ("held_until", models.DateTimeField(null=True)),
                ("hold_reason", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "verbose_name": "host",
            },
        ),
        migrations.CreateModel(
            name="Source",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "kind",
                    models.CharField(default="feed", help_text="What the address leads to.", max_length=40),
                ),
                (
                    "url",
                    models.CharField(
                        help_text="The http or https address to read.",
                        max_length=2000,
                        verbose_name="address",
                    ),
                ),
                (
                    "options",
                    models.JSONField(blank=True, default=dict, help_text="Settings of this kind of source."),
                ),
                (
                    "language",
                    models.CharField(
                        blank=True,
                        help_text="Such as en or de-AT; read from the source if empty.",
                        max_length=35,
                    ),
                ),
                ("is_enabled", models.BooleanField(default=True, verbose_name="enabled")),
                (
                    "backfill_limit",
                    models.PositiveIntegerField(
                        default=20,
                        help_text="How many items of the very first poll count as new; older ones are skipped.",
                    ),
                ),
                (
                    "min_interval",
                    models.DurationField(
                        default=datetime.timedelta(seconds=300),
                        help_text="Never poll more often than this.",
                        validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60))],
                    ),
                ),
                (
                    "max_interval",
                    models.DurationField(
                        default=datetime.timedelta(days=1),
                        help_text="Never wait longer than this.",
                        validators=[django.core.validators.MinValueValidator(datetime.timedelta(seconds=60))],
                    ),
                ),
                ("etag", models.CharField(blank=True, editable=False, max_length=500)),
                ("last_modified", models.CharField(blank=True, editable=False, max_length=100)),
                ("body_hash", models.CharField(blank=True, editable=False, max_length=64)),
                ("next_poll_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("last_polled_at", models.DateTimeField(editable=False, null=True)),
                ("last_success_at", models.DateTimeField(editable=False, null=True)),
                ("last_changed_at", models.DateTimeField(editable=False, null=True)),
                ("last_status", models.PositiveSmallIntegerField(editable=False, null=True)),
                ("last_error", models.TextField(blank=True, editable=False)),
                ("last_run_id", models.UUIDField(editable=False, null=True)),
                ("consecutive_failures", models.PositiveIntegerField(default=0, editable=False)),
                ("consecutive_parse_failures", models.PositiveIntegerField(default=0, editable=False)),
                ("gone_at", models.DateTimeField(editable=False, null=True)),
                ("redirect_url", models.CharField(blank=True, editable=False, max_length=2000)),
                ("redirect_first_seen_at", models.DateTimeField(editable=False, null=True)),
                ("redirect_sightings", models.PositiveIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "ordering": ["name", "pk"],
                "permissions": [
                    ("poll_source", "Can poll a source now"),
                    ("test_source", "Can test a source"),
                    ("reset_source", "Can make a source forget its items"),
                    ("enable_source", "Can enable and disable a source"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("gone_at", None), ("is_enabled", True)),
                        fields=["next_poll_at"],
                        name="publishing_source_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "url"),
                        name="publishing_source_kind_url",
                        violation_error_message="There is a source of this kind with this address already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("min_interval__lte", models.F("max_interval"))),
                        name="publishing_source_interval_order",
                        violation_error_message="The shortest interval is longer than the longest.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FeedItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("identity", models.CharField(max_length=80)),
                ("fingerprint", models.CharField(max_length=64)),
                ("url", models.CharField(blank=True, max_length=2000, verbose_name="address")),
                ("title", models.CharField(blank=True, max_length=2000)),
                ("author", models.CharField(blank=True, max_length=2000)),
                ("summary_html", models.TextField(blank=True, verbose_name="summary")),
                ("content_html", models.TextField(blank=True, verbose_name="content")),
                ("language", models.CharField(blank=True, max_length=35)),
                (
                    "categories",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                    ),
                ),
                ("enclosures", models.JSONField(blank=True, default=list)),
                ("published_at", models.DateTimeField(blank=True, null=True)),
                (
                    "author_updated_at",
                    models.DateTimeField(
                        blank=True, help_text="When the source says it was changed.", null=True
                    ),
                ),
                (
                    "fetched_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="When we saw it first."
                    ),
                ),
                (
                    "changed_at",
                    models.DateTimeField(blank=True, help_text="When we last saw a change.", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("seen", "Seen"),
                            ("queued", "Queued"),
                            ("generated", "Generated"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                        ],
                        default="seen",
                        max_length=12,
                    ),
                ),
                ("state_reason", models.CharField(blank=True, max_length=200)),
                ("removed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="publishing.source",
                    ),
                ),
            ],
            options={
                "ordering": ["-fetched_at", "-pk"],
                "permissions": [("replay_feeditem", "Can put items back to be used again")],
                "indexes": [
                    models.Index(fields=["source", "-fetched_at"], name="publishing_item_newest"),
                    models.Index(fields=["fetched_at", "id"], name="publishing_item_page"),
                    models.Index(
                        condition=models.Q(("removed_at", None), ("state", "seen")),
                        fields=["fetched_at"],
                        name="publishing_item_waiting",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("source", "identity"), name="publishing_item_identity")
                ],
            },
        ),
    ]
