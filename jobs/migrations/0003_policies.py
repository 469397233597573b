"""Policies of schedules, limits of jobs, calendars and windows, and the state of runs that wait for them."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

#: What a limit per key counts a run under: the values of some of its parameters, as one text.
CREATE_LIMIT_KEY = """
CREATE FUNCTION jobs_limit_key(parameters jsonb, names varchar[]) RETURNS varchar
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(key) <= 200 THEN key ELSE left(key, 160) || ' ' || md5(key) END
    FROM (
        SELECT COALESCE(string_agg(name || '=' || COALESCE(parameters -> name, 'null')::text, ' ' ORDER BY n), '') AS key
        FROM unnest(names) WITH ORDINALITY AS named(name, n)
    ) AS keys
$$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0002_schedule_triggers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Calendar",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                ("description", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="CalendarDays",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("first_day", models.DateField()),
                ("last_day", models.DateField(help_text="Included; the same as the first for a single day.")),
                (
                    "is_yearly",
                    models.BooleanField(
                        default=False,
                        help_text="The same day and month in every year.",
                        verbose_name="every year",
                    ),
                ),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="What is on, such as Christmas Day.", max_length=200
                    ),
                ),
            ],
            options={
                "verbose_name": "days of a calendar",
                "verbose_name_plural": "days of calendars",
                "ordering": ["first_day", "last_day"],
            },
        ),
        migrations.CreateModel(
            name="JobLimit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "job",
                    models.CharField(
                        help_text="Name of the job, or of a Celery task.", max_length=200, unique=True
                    ),
                ),
                (
                    "max_running",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many runs of the job at a time; empty: any number.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100000),
                        ],
                    ),
                ),
                (
                    "key_by",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100),
                        blank=True,
                        default=list,
                        help_text="Parameters whose values make the key: runs with equal values count together.",
                        size=None,
                    ),
                ),
                (
                    "max_running_per_key",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many runs with the same key at a time; empty: any number.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100000),
                        ],
                    ),
                ),
                (
                    "rate_count",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How many runs may start within the time below; empty: any number.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                    ),
                ),
                (
                    "rate_seconds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The time that the rate is about.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(2678400),
                        ],
                    ),
                ),
                (
                    "origin",
                    models.CharField(
                        choices=[("code", "Declared by a job"), ("admin", "Made by a person")],
                        db_default="admin",
                        default="admin",
                        editable=False,
                        max_length=5,
                    ),
                ),
                (
                    "declared",
                    models.JSONField(
                        blank=True,
                        editable=False,
                        help_text="What the code declared at the last synchronisation.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "limit",
                "ordering": ["job"],
            },
        ),
        migrations.CreateModel(
            name="MaintenanceWindow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200, unique=True)),
                (
                    "note",
                    models.CharField(
                        blank=True, help_text="Shown with each slot that it stops.", max_length=200
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                (
                    "mode",
                    models.CharField(
                        choices=[("hold", "Hold slots until its end"), ("skip", "Skip slots")],
                        default="hold",
                        max_length=4,
                    ),
                ),
                ("starts_at", models.DateTimeField(blank=True, null=True)),
                ("ends_at", models.DateTimeField(blank=True, null=True)),
                (
                    "cron",
                    models.CharField(
                        blank=True,
                        help_text="Instead of a start: when it begins, again and again.",
                        max_length=200,
                    ),
                ),
                (
                    "timezone",
                    models.CharField(
                        default="UTC", help_text="Whose clocks the expression is about.", max_length=64
                    ),
                ),
                (
                    "duration_minutes",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="How long it lasts each time.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10080),
                        ],
                    ),
                ),
                ("covers_all", models.BooleanField(default=False, verbose_name="covers everything")),
                (
                    "jobs",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=200), blank=True, default=list, size=None
                    ),
                ),
                (
                    "queues",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), blank=True, default=list, size=None
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.RemoveIndex(
            model_name="jobrun",
            name="jobs_run_expiry",
        ),
        migrations.AddField(
            model_name="jobrun",
            name="admitted_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When it was queued after waiting; null when it never waited.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="cancel_forced",
            field=models.BooleanField(
                db_default=False, default=False, help_text="The cancel gives no grace: the process is killed."
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="limit_key",
            field=models.CharField(
                blank=True,
                help_text="What the limit per key of its job counts it under; null when its job has no limits.",
                max_length=200,
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="not_before",
            field=models.DateTimeField(
                blank=True, help_text="Jitter, window: the moment until which it waits.", null=True
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="waiting_for",
            field=models.CharField(
                blank=True,
                choices=[
                    ("jitter", "Its moment within the jitter"),
                    ("window", "The end of a maintenance window"),
                    ("overlap", "Another run of its schedule"),
                    ("limit", "A place within its job's limits"),
                ],
                db_default="",
                default="",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="waiting_since",
            field=models.DateTimeField(
                blank=True, help_text="Since when it waits for that; null when it does not wait.", null=True
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="waits",
            field=models.JSONField(
                blank=True, help_text="Seconds it waited, by what for, once each wait is over.", null=True
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="buffer_limit",
            field=models.PositiveSmallIntegerField(
                db_default=100,
                default=100,
                help_text="How many runs may wait for an earlier one, at most.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="failures_count_from",
            field=models.DateTimeField(
                blank=True,
                editable=False,
                help_text="Runs that failed before pause nothing any more.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="jitter_seconds",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="Each slot starts up to so many seconds late, always before the next one. 0: on the dot.",
                validators=[django.core.validators.MaxValueValidator(86400)],
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="overlap",
            field=models.CharField(
                choices=[
                    ("skip", "Skip the new one"),
                    ("buffer_one", "Let one wait, skip the others"),
                    ("buffer_all", "Let them wait in a row"),
                    ("cancel_other", "Ask the earlier one to stop, then run"),
                    ("terminate_other", "Kill the earlier one, then run"),
                    ("allow_all", "Run beside each other"),
                ],
                db_default="allow_all",
                default="allow_all",
                help_text="What to do with a slot that comes while an earlier run has not ended.",
                max_length=15,
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="pause_on_failure",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="Pause the schedule when a run has failed and is not tried again.",
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="timezone",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Whose days the calendars mean, for schedules without a crontab. Empty: UTC.",
                max_length=64,
            ),
        ),
        migrations.AlterField(
            model_name="jobrun",
            name="status",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting for its turn"),
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("retrying", "Waiting to retry"),
                    ("succeeded", "Succeeded"),
                    ("partial", "Partly succeeded"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                    ("skipped", "Skipped"),
                    ("missed", "Missed"),
                ],
                default="queued",
                max_length=10,
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("status__in", ["waiting", "queued"])),
                fields=["expires_at"],
                name="jobs_run_expiry",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("status", "waiting")),
                fields=["waiting_for", "job", "priority", "id"],
                name="jobs_run_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(
                    ("schedule__isnull", False), ("status__in", ["waiting", "queued", "running", "retrying"])
                ),
                fields=["schedule"],
                name="jobs_run_of_schedule",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("limit_key__isnull", False), ("status__in", ["queued", "running"])),
                fields=["job", "limit_key"],
                name="jobs_run_limited",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("limit_key__isnull", False), ("started_at__isnull", False)),
                fields=["job", "started_at"],
                name="jobs_run_rated",
            ),
        ),
        migrations.AddIndex(
            model_name="schedulepolicy",
            index=models.Index(
                condition=models.Q(("pause_on_failure", True)), fields=["task"], name="jobs_policy_fragile"
            ),
        ),
        migrations.AddField(
            model_name="calendar",
            name="schedules",
            field=models.ManyToManyField(
                blank=True,
                help_text="They have no slots on its days.",
                related_name="calendars",
                to="jobs.schedule",
            ),
        ),
        migrations.AddField(
            model_name="calendardays",
            name="calendar",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="days", to="jobs.calendar"
            ),
        ),
        migrations.AddConstraint(
            model_name="joblimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("rate_count__isnull", True), ("rate_seconds__isnull", True)),
                    models.Q(("rate_count__isnull", False), ("rate_seconds__isnull", False)),
                    _connector="OR",
                ),
                name="jobs_limit_whole_rate",
            ),
        ),
        migrations.AddField(
            model_name="maintenancewindow",
            name="schedules",
            field=models.ManyToManyField(blank=True, related_name="maintenance_windows", to="jobs.schedule"),
        ),
        migrations.AddConstraint(
            model_name="calendardays",
            constraint=models.CheckConstraint(
                condition=models.Q(("last_day__gte", models.F("first_day"))),
                name="jobs_calendar_days_in_order",
            ),
        ),
        migrations.AddConstraint(
            model_name="maintenancewindow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("cron", ""), ("starts_at__lt", models.F("ends_at"))),
                    models.Q(models.Q(("cron", ""), _negated=True), ("duration_minutes__isnull", False)),
                    _connector="OR",
                ),
                name="jobs_window_has_a_time",
            ),
        ),
        migrations.RunSQL(CREATE_LIMIT_KEY, "DROP FUNCTION jobs_limit_key(jsonb, varchar[])"),
    ]
