"""Live events say which group a run belongs to and what it waits for, and tell of alerts; summaries are kept by group."""

from importlib import import_module

import django.contrib.postgres.fields
from django.db import migrations, models

first = import_module("jobs.migrations.0007_live_events")

RUN_DATA = """json_build_object(
        'job', {row}.job, 'queue', {row}.queue, 'schedule_id', {row}.schedule_id, 'trigger', {row}.trigger,
        'owner_group_id', {row}.owner_group_id,
        'status', {row}.status, 'reason', {row}.reason, 'waiting_for', {row}.waiting_for,
        'attempt', {row}.attempt, 'max_attempts', {row}.max_attempts,
        'scheduled_for', {row}.scheduled_for, 'queued_at', {row}.queued_at, 'started_at', {row}.started_at,
        'finished_at', {row}.finished_at, 'next_attempt_at', {row}.next_attempt_at, 'worker', {row}.worker,
        'cancel_requested', {row}.cancel_requested_at IS NOT NULL,
        'progress', {row}.progress, 'progress_current', {row}.progress_current,
        'progress_total', {row}.progress_total, 'progress_text', {row}.progress_text)"""

CREATE_RUN_TRIGGERS = f"""
CREATE FUNCTION jobs_tell_of_new_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    SELECT 'run', added.id::text, {RUN_DATA.format(row="added")} FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_new_runs AFTER INSERT ON jobs_jobrun
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION jobs_tell_of_new_runs();

CREATE FUNCTION jobs_tell_of_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    VALUES ('run', NEW.id::text, {RUN_DATA.format(row="NEW")});
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_run AFTER UPDATE ON jobs_jobrun FOR EACH ROW
    WHEN (OLD.status <> NEW.status OR OLD.waiting_for <> NEW.waiting_for OR OLD.attempt <> NEW.attempt
          OR OLD.progress <> NEW.progress OR OLD.progress_text <> NEW.progress_text
          OR OLD.progress_current IS DISTINCT FROM NEW.progress_current
          OR OLD.progress_total IS DISTINCT FROM NEW.progress_total
          OR OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at
          OR OLD.cancel_acknowledged_at IS DISTINCT FROM NEW.cancel_acknowledged_at
          OR OLD.owner_group_id IS DISTINCT FROM NEW.owner_group_id)
    EXECUTE FUNCTION jobs_tell_of_run();
"""  # noqa: S608 - our own names

#: An alert that is not bad enough yet is nobody's news.
CREATE_ALERT_TRIGGERS = """
CREATE FUNCTION jobs_tell_of_alert() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    VALUES ('alert', NEW.id::text, json_build_object(
        'owner_group_id', NEW.owner_group_id, 'kind', NEW.kind, 'severity', NEW.severity, 'state', NEW.state, 'resolution', NEW.resolution,
        'priority', NEW.priority, 'title', NEW.title, 'job', NEW.job, 'subject_type', NEW.subject_type,
        'subject_id', NEW.subject_id, 'count', NEW.count, 'first_seen_at', NEW.first_seen_at,
        'last_seen_at', NEW.last_seen_at, 'snoozed_until', NEW.snoozed_until, 'incident', NEW.incident_id));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_alert AFTER INSERT ON jobs_alert
    FOR EACH ROW WHEN (NEW.state <> 'pending') EXECUTE FUNCTION jobs_tell_of_alert();
CREATE TRIGGER jobs_tell_of_changed_alert AFTER UPDATE ON jobs_alert FOR EACH ROW
    WHEN ((OLD.state <> 'pending' OR NEW.state <> 'pending') AND (
        (OLD.state, OLD.severity, OLD.priority, OLD.title, OLD.count, OLD.snoozed_until, OLD.incident_id)
        IS DISTINCT FROM
        (NEW.state, NEW.severity, NEW.priority, NEW.title, NEW.count, NEW.snoozed_until, NEW.incident_id)))
    EXECUTE FUNCTION jobs_tell_of_alert();
"""

DROP_ALERT_TRIGGERS = """
DROP TRIGGER jobs_tell_of_changed_alert ON jobs_alert;
DROP TRIGGER jobs_tell_of_alert ON jobs_alert;
DROP FUNCTION jobs_tell_of_alert();
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0011_alert_groups")]

    operations = [
        # Nothing is lost: summaries come back by themselves.
        migrations.DeleteModel(name="RunSummary"),
        migrations.CreateModel(
            name="RunSummary",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("begins_at", models.DateTimeField()),
                ("is_total", models.BooleanField(help_text="The row of all runs, whatever their group.")),
                (
                    "owner_group_id",
                    models.IntegerField(help_text="Empty: runs that belong to no group.", null=True),
                ),
                ("succeeded", models.PositiveIntegerField()),
                ("partial", models.PositiveIntegerField()),
                ("failed", models.PositiveIntegerField()),
                ("cancelled", models.PositiveIntegerField()),
                ("skipped", models.PositiveIntegerField()),
                ("missed", models.PositiveIntegerField()),
                ("open", models.PositiveIntegerField(help_text="Runs that have not ended yet.")),
                (
                    "durations",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveIntegerField(),
                        help_text="How many runs took how long: a histogram, its bounds are those of jobs.summaries.",
                        size=None,
                    ),
                ),
                ("counted_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "summary of runs",
                "verbose_name_plural": "summaries of runs",
                "default_permissions": (),
                "indexes": [
                    models.Index(
                        condition=models.Q(("is_total", True), ("open__gt", 0)),
                        fields=["counted_at"],
                        name="jobs_summary_open",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("begins_at", "is_total", "owner_group_id"),
                        name="jobs_one_summary_per_span",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.RunSQL(first.DROP_RUN_TRIGGERS, first.CREATE_RUN_TRIGGERS),
        migrations.RunSQL(CREATE_RUN_TRIGGERS, first.DROP_RUN_TRIGGERS),
        migrations.RunSQL(CREATE_ALERT_TRIGGERS, DROP_ALERT_TRIGGERS),
    ]
