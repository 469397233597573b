"""Versions of schedules, written by deferred database triggers: no edit goes unnoticed, whoever makes it.

Deferred: one transaction makes one version however many rows it touches, and code that knows who edits and why can
say so before the triggers look (`jobs.versions.record`); they then find nothing left to write.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

#: Columns that are no decision of anybody's: the scheduler's and stock tools' own notes.
NOT_OF_TASK = "id, last_run_at, total_run_count, date_changed"
#: The same of the policy, and what is only for the moment: pauses, and what the code declares.
NOT_OF_POLICY = (
    "task_id, next_slot_at, is_stale, anchor_at, planning_error, paused_at, paused_until, pause_note, origin, declared, "
    "declined, version, failures_count_from"
)
TIMING_TABLES = {
    "crontab": "django_celery_beat_crontabschedule",
    "interval": "django_celery_beat_intervalschedule",
    "solar": "django_celery_beat_solarschedule",
    "clocked": "django_celery_beat_clockedschedule",
}

CREATE_FUNCTIONS = """
CREATE FUNCTION jobs_task_settings(periodic django_celery_beat_periodictask) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(periodic) - '{{{not_of_task}}}'::text[]
$$;

CREATE FUNCTION jobs_policy_settings(policy jobs_schedulepolicy) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(policy) - '{{{not_of_policy}}}'::text[]
$$;

-- The time zone is set so that equal moments are equal text, whoever asks.
CREATE FUNCTION jobs_schedule_snapshot(wanted integer) RETURNS jsonb LANGUAGE sql STABLE SET timezone = 'UTC' AS $$
    SELECT jobs_task_settings(periodic) - '{{crontab_id,interval_id,solar_id,clocked_id}}'::text[] || jsonb_build_object(
        'crontab', to_jsonb(crontab) - 'id',
        'interval', to_jsonb("interval") - 'id',
        'solar', to_jsonb(solar) - 'id',
        'clocked', to_jsonb(clocked) - 'id',
        'policy', jobs_policy_settings(policy))
    FROM django_celery_beat_periodictask periodic
    JOIN jobs_schedulepolicy policy ON policy.task_id = periodic.id
    LEFT JOIN django_celery_beat_crontabschedule crontab ON crontab.id = periodic.crontab_id
    LEFT JOIN django_celery_beat_intervalschedule "interval" ON "interval".id = periodic.interval_id
    LEFT JOIN django_celery_beat_solarschedule solar ON solar.id = periodic.solar_id
    LEFT JOIN django_celery_beat_clockedschedule clocked ON clocked.id = periodic.clocked_id
    WHERE periodic.id = wanted
$$;

-- Writes a version unless the latest one says the same; returns the number of the one that holds now.
CREATE FUNCTION jobs_record_version(wanted integer, author integer, said text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    latest integer;
    present jsonb;
BEGIN
    SELECT version INTO latest FROM jobs_schedulepolicy WHERE task_id = wanted FOR NO KEY UPDATE;
    present := jobs_schedule_snapshot(wanted);
    IF present IS NULL OR present = (
        SELECT snapshot FROM jobs_scheduleversion WHERE schedule_id = wanted AND number = latest
    ) THEN
        RETURN latest;
    END IF;
    INSERT INTO jobs_scheduleversion (schedule_id, number, at, by_id, note, snapshot)
        VALUES (wanted, latest + 1, clock_timestamp(), author, said, present);
    UPDATE jobs_schedulepolicy SET version = latest + 1 WHERE task_id = wanted;
    RETURN latest + 1;
END $$;
"""

DROP_FUNCTIONS = """
DROP FUNCTION jobs_record_version(integer, integer, text);
DROP FUNCTION jobs_schedule_snapshot(integer);
DROP FUNCTION jobs_policy_settings(jobs_schedulepolicy);
DROP FUNCTION jobs_task_settings(django_celery_beat_periodictask);
"""

# Rows are compared as a whole, so that columns to come are versioned too. The first conditions are only there for
# speed: the scheduler's own UPDATEs, thousands a minute, end with them.
CREATE_TRIGGERS = """
CREATE FUNCTION jobs_version_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobs_record_version(NEW.id, NULL, '');
    RETURN NULL;
END $$;

CREATE FUNCTION jobs_version_of_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobs_record_version(NEW.task_id, NULL, '');
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER jobs_version_of_new_task AFTER INSERT ON django_celery_beat_periodictask
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION jobs_version_of_task();

CREATE CONSTRAINT TRIGGER jobs_version_of_task AFTER UPDATE ON django_celery_beat_periodictask
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((OLD.total_run_count = NEW.total_run_count OR OLD.enabled <> NEW.enabled)
          AND jobs_task_settings(OLD) <> jobs_task_settings(NEW))
    EXECUTE FUNCTION jobs_version_of_task();

CREATE CONSTRAINT TRIGGER jobs_version_of_policy AFTER UPDATE ON jobs_schedulepolicy
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.next_slot_at IS NOT DISTINCT FROM NEW.next_slot_at AND OLD.is_stale = NEW.is_stale
          AND OLD.version = NEW.version AND jobs_policy_settings(OLD) <> jobs_policy_settings(NEW))
    EXECUTE FUNCTION jobs_version_of_policy();
"""

DROP_TRIGGERS = """
DROP TRIGGER jobs_version_of_policy ON jobs_schedulepolicy;
DROP TRIGGER jobs_version_of_task ON django_celery_beat_periodictask;
DROP TRIGGER jobs_version_of_new_task ON django_celery_beat_periodictask;
DROP FUNCTION jobs_version_of_policy();
DROP FUNCTION jobs_version_of_task();
"""

CREATE_TIMING_TRIGGER = """
CREATE FUNCTION jobs_version_of_{kind}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM jobs_record_version(id, NULL, '') FROM django_celery_beat_periodictask
        WHERE {kind}_id = NEW.id ORDER BY id;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER jobs_version_of_{kind} AFTER UPDATE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION jobs_version_of_{kind}();
"""

DROP_TIMING_TRIGGER = """
DROP TRIGGER jobs_version_of_{kind} ON {table};
DROP FUNCTION jobs_version_of_{kind}();
"""

FIRST_VERSIONS = """
SELECT jobs_record_version(task_id, NULL, 'As it was when versions began.') FROM jobs_schedulepolicy ORDER BY task_id;
"""

FILLED_IN = {"not_of_task": NOT_OF_TASK.replace(" ", ""), "not_of_policy": NOT_OF_POLICY.replace(" ", "")}


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0003_policies"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="jobrun",
            name="schedule_version",
            field=models.PositiveIntegerField(
                blank=True, help_text="The number of the schedule's version that fired it.", null=True
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="declined",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="What the code declared when an operator kept another timing on purpose.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="version",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                editable=False,
                help_text="The number of the latest ScheduleVersion.",
            ),
        ),
        migrations.CreateModel(
            name="ScheduleVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(help_text="1, 2, 3 … for each schedule.")),
                ("at", models.DateTimeField()),
                (
                    "note",
                    models.CharField(
                        blank=True, db_default="", help_text="Why, when it was said.", max_length=300
                    ),
                ),
                (
                    "snapshot",
                    models.JSONField(help_text="The columns of the row, of its timing and of its policy."),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="versions",
                        to="django_celery_beat.periodictask",
                    ),
                ),
            ],
            options={
                "verbose_name": "schedule version",
                "ordering": ["-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("schedule", "number"), name="jobs_one_version_per_number")
                ],
            },
        ),
        migrations.RunSQL(CREATE_FUNCTIONS.format(**FILLED_IN), DROP_FUNCTIONS),
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
        *(
            migrations.RunSQL(
                CREATE_TIMING_TRIGGER.format(kind=kind, table=table),
                DROP_TIMING_TRIGGER.format(kind=kind, table=table),
            )
            for kind, table in TIMING_TABLES.items()
        ),
        migrations.RunSQL(FIRST_VERSIONS, migrations.RunSQL.noop),
    ]
