import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0007_live_events"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FailureDecision",
            fields=[
                ("fingerprint", models.CharField(max_length=40, primary_key=True, serialize=False)),
                (
                    "action",
                    models.CharField(
                        choices=[("muted", "Muted"), ("archived", "Will not be fixed")], max_length=8
                    ),
                ),
                (
                    "until",
                    models.DateTimeField(blank=True, help_text="Empty: until the cause changes.", null=True),
                ),
                ("note", models.CharField(blank=True, max_length=300)),
                ("decided_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "decision about a failure",
                "verbose_name_plural": "decisions about failures",
                "permissions": [("mute_failure", "Can mute and archive failures")],
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RunAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField()),
                (
                    "ended",
                    models.CharField(
                        choices=[("failed", "Failed"), ("lost", "Lost with its worker")], max_length=6
                    ),
                ),
                (
                    "admitted_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When the limits of its job let it through; empty: it never waited.",
                        null=True,
                    ),
                ),
                (
                    "published_at",
                    models.DateTimeField(
                        blank=True, help_text="When it was first sent to the broker.", null=True
                    ),
                ),
                ("started_at", models.DateTimeField(help_text="When a worker claimed it.")),
                (
                    "ended_at",
                    models.DateTimeField(
                        help_text="When its end was recorded; of a lost one when that was noticed."
                    ),
                ),
                (
                    "retry_at",
                    models.DateTimeField(
                        blank=True, help_text="When the next attempt was due; empty: at once.", null=True
                    ),
                ),
                ("worker", models.CharField(blank=True, max_length=200)),
                ("error_type", models.CharField(blank=True, max_length=200)),
                ("error_message", models.TextField(blank=True)),
                ("error_fingerprint", models.CharField(blank=True, max_length=40)),
            ],
            options={
                "verbose_name": "earlier attempt",
                "ordering": ["run", "attempt"],
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="first_published_at",
            field=models.DateTimeField(
                blank=True, help_text="When its present attempt was first sent to the broker.", null=True
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="deadline_seconds",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="A run must have ended this long after its slot. Empty: no deadline.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(31622400),
                ],
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="keep_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Its runs are forgotten this many days after their end. Empty: as the installation says.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(36525),
                ],
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="keep_runs",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Only so many of its latest ended runs are kept. Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000000),
                ],
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("status", "failed")),
                fields=["error_fingerprint", "finished_at"],
                include=("id",),
                name="jobs_run_failures",
            ),
        ),
        migrations.AddField(
            model_name="failuredecision",
            name="decided_by",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="runattempt",
            name="run",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="attempts",
                to="jobs.jobrun",
            ),
        ),
        migrations.AddConstraint(
            model_name="runattempt",
            constraint=models.UniqueConstraint(fields=("run", "attempt"), name="jobs_one_row_per_attempt"),
        ),
    ]
