"""Alerts, their events, who read them; and the mark on runs whose failure the alerts have taken note of.

Runs that ended before count as noted: an upgrade must not raise alerts about the past.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0004_schedule_versions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        help_text="Such as jobs.run_failed; apps register theirs.", max_length=100
                    ),
                ),
                (
                    "severity",
                    models.CharField(
                        choices=[
                            ("critical", "Critical"),
                            ("high", "High"),
                            ("medium", "Medium"),
                            ("low", "Low"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "fingerprint",
                    models.CharField(help_text="Equal for sightings of one cause.", max_length=200),
                ),
                ("app", models.CharField(help_text="The app that raised it.", max_length=50)),
                (
                    "job",
                    models.CharField(
                        blank=True, help_text="The job it is about, if it is about one.", max_length=200
                    ),
                ),
                (
                    "subject_type",
                    models.CharField(blank=True, help_text="Such as run, schedule or queue.", max_length=50),
                ),
                ("subject_id", models.CharField(blank=True, max_length=100)),
                (
                    "subject_text",
                    models.CharField(blank=True, help_text="The subject as people call it.", max_length=300),
                ),
                (
                    "link",
                    models.CharField(blank=True, help_text="Path of the subject's page.", max_length=500),
                ),
                ("title", models.CharField(max_length=200)),
                ("message", models.TextField(blank=True)),
                (
                    "context",
                    models.JSONField(
                        blank=True, default=dict, help_text="Facts for people and programs; no personal data."
                    ),
                ),
                (
                    "priority",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="0 to 100; 100 is looked at first."
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Not yet open"),
                            ("open", "Open"),
                            ("acknowledged", "Acknowledged"),
                            ("snoozed", "Snoozed"),
                            ("resolved", "Resolved"),
                        ],
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("snoozed_until", models.DateTimeField(blank=True, null=True)),
                (
                    "resolution",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "None yet"),
                            ("recovered", "Recovered by itself"),
                            ("manual", "Resolved by a person"),
                            ("dismissed", "Dismissed"),
                        ],
                        default="",
                        max_length=9,
                    ),
                ),
                ("count", models.PositiveIntegerField(default=0, help_text="How often it was seen.")),
                ("first_seen_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField(help_text="When it was last seen to be bad.")),
                (
                    "opened_at",
                    models.DateTimeField(blank=True, help_text="When it was last opened.", null=True),
                ),
                ("resolved_at", models.DateTimeField(blank=True, null=True)),
                ("news_at", models.DateTimeField()),
                ("told_at", models.DateTimeField(blank=True, null=True)),
                ("bad_in_a_row", models.PositiveIntegerField(default=0)),
                ("bad_since", models.DateTimeField(blank=True, null=True)),
                ("good_in_a_row", models.PositiveSmallIntegerField(default=0)),
                (
                    "is_flapping",
                    models.BooleanField(default=False, help_text="Opens and closes again and again."),
                ),
            ],
            options={
                "verbose_name": "alert",
                "ordering": ["-pk"],
                "permissions": [
                    ("acknowledge_alert", "Can acknowledge alerts"),
                    ("snooze_alert", "Can snooze alerts"),
                    ("resolve_alert", "Can resolve alerts"),
                    ("dismiss_alert", "Can dismiss alerts"),
                    ("cleanup_alerts", "Can delete old alerts"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AlertEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("opened", "Opened"),
                            ("repeated", "Seen again"),
                            ("escalated", "Became more severe"),
                            ("eased", "Became less severe"),
                            ("acknowledged", "Acknowledged"),
                            ("snoozed", "Snoozed"),
                            ("unsnoozed", "Came back from its snooze"),
                            ("resolved", "Resolved"),
                            ("reopened", "Opened again"),
                            ("dismissed", "Dismissed"),
                            ("flapping", "Opens and closes again and again"),
                            ("steady", "No longer flapping"),
                            ("folded", "Folded into an incident"),
                        ],
                        max_length=12,
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "severity",
                    models.CharField(
                        choices=[
                            ("critical", "Critical"),
                            ("high", "High"),
                            ("medium", "Medium"),
                            ("low", "Low"),
                        ],
                        help_text="At that moment.",
                        max_length=8,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                ("context", models.JSONField(blank=True, default=dict)),
                ("is_silent", models.BooleanField(default=False, help_text="Nobody is told of it.")),
                (
                    "notified_at",
                    models.DateTimeField(blank=True, help_text="When notifications took it up.", null=True),
                ),
            ],
            options={
                "verbose_name": "alert event",
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="AlertRead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "reader of an alert",
                "verbose_name_plural": "readers of an alert",
            },
        ),
        migrations.CreateModel(
            name="AlertWatch",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("looked_at", models.DateTimeField(blank=True, null=True)),
                ("scheduler_seen_at", models.DateTimeField(blank=True, null=True)),
                ("broker_seen_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "watch",
                "verbose_name_plural": "watches",
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="is_noted",
            field=models.BooleanField(
                db_default=True, default=True, help_text="The alerts have taken note of its failure."
            ),
        ),
        migrations.AlterField(
            model_name="jobrun",
            name="is_noted",
            field=models.BooleanField(
                db_default=False, default=False, help_text="The alerts have taken note of its failure."
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("is_noted", False), ("status__in", ["failed", "missed"])),
                fields=["id"],
                name="jobs_run_unnoted",
            ),
        ),
        migrations.AddField(
            model_name="alert",
            name="incident",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="The outage that explains it.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="folded",
                to="jobs.alert",
            ),
        ),
        migrations.AddField(
            model_name="alertevent",
            name="alert",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="events", to="jobs.alert"
            ),
        ),
        migrations.AddField(
            model_name="alertevent",
            name="by",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Empty: the system itself.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="alertread",
            name="alert",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="reads",
                to="jobs.alert",
            ),
        ),
        migrations.AddField(
            model_name="alertread",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="alertwatch",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="jobs_one_alert_watch"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("state", "resolved"), _negated=True),
                fields=["kind", "-id"],
                name="jobs_alert_live",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("state", "resolved")),
                fields=["kind", "fingerprint", "-resolved_at"],
                name="jobs_alert_resolved",
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("state", "resolved")), fields=["resolved_at"], name="jobs_alert_old"
            ),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(fields=["-last_seen_at"], name="jobs_alert_seen"),
        ),
        migrations.AddIndex(
            model_name="alert",
            index=models.Index(
                condition=models.Q(("incident__isnull", False)), fields=["incident"], name="jobs_alert_folded"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "resolved"), _negated=True),
                fields=("kind", "fingerprint"),
                name="jobs_one_alert_per_cause",
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__lte", 100)), name="jobs_alert_priority_to_100"
            ),
        ),
        migrations.AddConstraint(
            model_name="alert",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("snoozed_until__isnull", False), ("state", "snoozed")),
                    models.Q(models.Q(("state", "snoozed"), _negated=True), ("snoozed_until__isnull", True)),
                    _connector="OR",
                ),
                name="jobs_alert_snoozed_until",
            ),
        ),
        migrations.AddIndex(
            model_name="alertevent",
            index=models.Index(
                condition=models.Q(("notified_at__isnull", True)),
                fields=["id"],
                name="jobs_alertevent_outbox",
            ),
        ),
        migrations.AddConstraint(
            model_name="alertread",
            constraint=models.UniqueConstraint(fields=("alert", "user"), name="jobs_one_read_per_user"),
        ),
    ]
