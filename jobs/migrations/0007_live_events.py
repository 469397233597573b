"""The event log that live pages read, written by triggers: docs/decisions/0006-live-events.md tells why.

Triggers, so that an event exists for every change, whoever makes it: workers, the scheduler's bulk statements, SQL
by hand. Both tables are unlogged: they cost no write-ahead log and are empty after a crash, which readers see by
the missing epoch.
"""

import django.contrib.postgres.fields
from django.db import migrations, models

CREATE_TABLES = """
CREATE UNLOGGED TABLE jobs_event (
    id bigint GENERATED ALWAYS AS IDENTITY,
    transaction xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    subject text NOT NULL,
    data json NOT NULL,
    PRIMARY KEY (transaction, id)
);
CREATE UNLOGGED TABLE jobs_eventmark (
    taken_at timestamptz PRIMARY KEY DEFAULT clock_timestamp(),
    snapshot pg_snapshot NOT NULL DEFAULT pg_current_snapshot()
);
CREATE UNLOGGED TABLE jobs_eventepoch (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch text NOT NULL DEFAULT left(gen_random_uuid()::text, 8),
    pruned_to timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""

DROP_TABLES = """
DROP TABLE jobs_event;
DROP TABLE jobs_eventmark;
DROP TABLE jobs_eventepoch;
"""

RUN_DATA = """json_build_object(
        'job', {row}.job, 'queue', {row}.queue, 'schedule_id', {row}.schedule_id, 'trigger', {row}.trigger,
        'status', {row}.status, 'reason', {row}.reason,
        'attempt', {row}.attempt, 'max_attempts', {row}.max_attempts,
        'scheduled_for', {row}.scheduled_for, 'queued_at', {row}.queued_at, 'started_at', {row}.started_at,
        'finished_at', {row}.finished_at, 'next_attempt_at', {row}.next_attempt_at, 'worker', {row}.worker,
        'cancel_requested', {row}.cancel_requested_at IS NOT NULL,
        'progress', {row}.progress, 'progress_current', {row}.progress_current,
        'progress_total', {row}.progress_total, 'progress_text', {row}.progress_text)"""

#: Rows come in by hundreds, and change one by one: hence a trigger by statement here and by row there. The condition of
#: the latter spares renewed leases and sent messages the call.
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
    WHEN (OLD.status <> NEW.status OR OLD.attempt <> NEW.attempt OR OLD.progress <> NEW.progress
          OR OLD.progress_text <> NEW.progress_text
          OR OLD.progress_current IS DISTINCT FROM NEW.progress_current
          OR OLD.progress_total IS DISTINCT FROM NEW.progress_total
          OR OLD.cancel_requested_at IS DISTINCT FROM NEW.cancel_requested_at
          OR OLD.cancel_acknowledged_at IS DISTINCT FROM NEW.cancel_acknowledged_at)
    EXECUTE FUNCTION jobs_tell_of_run();
"""  # noqa: S608 - our own names

DROP_RUN_TRIGGERS = """
DROP TRIGGER jobs_tell_of_run ON jobs_jobrun;
DROP FUNCTION jobs_tell_of_run();
DROP TRIGGER jobs_tell_of_new_runs ON jobs_jobrun;
DROP FUNCTION jobs_tell_of_new_runs();
"""

#: One event a statement and run. Readers fetch the lines that somebody follows.
CREATE_LOG_TRIGGER = """
CREATE FUNCTION jobs_tell_of_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    SELECT 'log', run_id::text, json_build_object('lines', json_agg(id ORDER BY id)) FROM added GROUP BY run_id;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_log AFTER INSERT ON jobs_runlog
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION jobs_tell_of_log();
"""

DROP_LOG_TRIGGER = """
DROP TRIGGER jobs_tell_of_log ON jobs_runlog;
DROP FUNCTION jobs_tell_of_log();
"""

#: A process appears, says goodbye, or is not what it was; that it still lives is no news.
CREATE_WORKER_TRIGGERS = """
CREATE FUNCTION jobs_tell_of_process() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    process jobs_processheartbeat := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    VALUES ('worker', process.name, json_build_object(
        'kind', process.kind, 'state', CASE WHEN TG_OP = 'DELETE' THEN 'gone' ELSE 'alive' END,
        'pid', process.pid, 'started_at', process.started_at, 'seen_at', process.seen_at, 'info', process.info));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_process AFTER INSERT OR DELETE ON jobs_processheartbeat
    FOR EACH ROW EXECUTE FUNCTION jobs_tell_of_process();
CREATE TRIGGER jobs_tell_of_changed_process AFTER UPDATE ON jobs_processheartbeat FOR EACH ROW
    WHEN (OLD.pid <> NEW.pid OR OLD.started_at <> NEW.started_at OR OLD.info->'queues' IS DISTINCT FROM NEW.info->'queues'
          OR OLD.info->'concurrency' IS DISTINCT FROM NEW.info->'concurrency'
          OR NEW.seen_at - OLD.seen_at > interval '20 seconds')
    EXECUTE FUNCTION jobs_tell_of_process();
"""

DROP_WORKER_TRIGGERS = """
DROP TRIGGER jobs_tell_of_changed_process ON jobs_processheartbeat;
DROP TRIGGER jobs_tell_of_process ON jobs_processheartbeat;
DROP FUNCTION jobs_tell_of_process();
"""

#: One event a statement, with the numbers of the schedules: a tick moves hundreds on at once.
CREATE_SCHEDULE_TRIGGERS = """
CREATE FUNCTION jobs_tell_of_policies() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed json := (
        SELECT json_agg(after.task_id) FROM before JOIN after USING (task_id)
        WHERE (before.next_slot_at, before.paused_at, before.paused_until, before.planning_error)
              IS DISTINCT FROM (after.next_slot_at, after.paused_at, after.paused_until, after.planning_error));
BEGIN
    IF changed IS NOT NULL THEN
        INSERT INTO jobs_event (kind, subject, data) VALUES ('schedule', '', json_build_object('ids', changed));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_policies AFTER UPDATE ON jobs_schedulepolicy
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION jobs_tell_of_policies();

CREATE FUNCTION jobs_tell_of_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_event (kind, subject, data)
    VALUES ('schedule', '', json_build_object(
        'ids', json_build_array(CASE WHEN TG_OP = 'DELETE' THEN OLD.id ELSE NEW.id END)));
    RETURN NULL;
END $$;
CREATE TRIGGER jobs_tell_of_schedule AFTER INSERT OR DELETE ON django_celery_beat_periodictask
    FOR EACH ROW EXECUTE FUNCTION jobs_tell_of_schedule();
CREATE TRIGGER jobs_tell_of_changed_schedule AFTER UPDATE ON django_celery_beat_periodictask FOR EACH ROW
    WHEN ((OLD.name, OLD.task, OLD.enabled) IS DISTINCT FROM (NEW.name, NEW.task, NEW.enabled))
    EXECUTE FUNCTION jobs_tell_of_schedule();
"""

DROP_SCHEDULE_TRIGGERS = """
DROP TRIGGER jobs_tell_of_changed_schedule ON django_celery_beat_periodictask;
DROP TRIGGER jobs_tell_of_schedule ON django_celery_beat_periodictask;
DROP FUNCTION jobs_tell_of_schedule();
DROP TRIGGER jobs_tell_of_policies ON jobs_schedulepolicy;
DROP FUNCTION jobs_tell_of_policies();
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0005_alerts")]

    operations = [
        migrations.CreateModel(
            name="RunSummary",
            fields=[
                ("begins_at", models.DateTimeField(primary_key=True, serialize=False)),
                ("succeeded", models.PositiveIntegerField(default=0)),
                ("partial", models.PositiveIntegerField(default=0)),
                ("failed", models.PositiveIntegerField(default=0)),
                ("cancelled", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("missed", models.PositiveIntegerField(default=0)),
                (
                    "open",
                    models.PositiveIntegerField(default=0, help_text="Runs that have not ended yet."),
                ),
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
            options={"verbose_name": "summary of runs", "verbose_name_plural": "summaries of runs"},
        ),
        migrations.RunSQL(CREATE_TABLES, DROP_TABLES),
        migrations.RunSQL(CREATE_RUN_TRIGGERS, DROP_RUN_TRIGGERS),
        migrations.RunSQL(CREATE_LOG_TRIGGER, DROP_LOG_TRIGGER),
        migrations.RunSQL(CREATE_WORKER_TRIGGERS, DROP_WORKER_TRIGGERS),
        migrations.RunSQL(CREATE_SCHEDULE_TRIGGERS, DROP_SCHEDULE_TRIGGERS),
    ]
