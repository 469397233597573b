"""Database triggers that mark a schedule stale whenever something that moves its slots is edited.

Triggers, not signals: stock tools enable schedules with `QuerySet.update()`, which sends no signal.
"""

from django.db import migrations

TIMING_TABLES = {
    "crontab": "django_celery_beat_crontabschedule",
    "interval": "django_celery_beat_intervalschedule",
    "solar": "django_celery_beat_solarschedule",
    "clocked": "django_celery_beat_clockedschedule",
}

#: Counted from now on. Of the time before only the slot that had passed is kept, for the scheduler to record: a slot
#: found for a timing that was edited again before it came is no longer expected.
MARK_STALE = """
        is_stale = true,
        anchor_at = clock_timestamp(),
        next_slot_at = CASE WHEN NOT is_stale OR next_slot_at <= anchor_at THEN next_slot_at END
"""

CREATE_TASK_TRIGGERS = """
CREATE FUNCTION jobs_policy_of_new_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_schedulepolicy (task_id, anchor_at) VALUES (NEW.id, clock_timestamp()) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_policy_of_new_task AFTER INSERT ON django_celery_beat_periodictask
    FOR EACH ROW EXECUTE FUNCTION jobs_policy_of_new_task();

CREATE FUNCTION jobs_task_is_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs_schedulepolicy SET {mark_stale}
        WHERE task_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_task_is_stale
    AFTER UPDATE OF enabled, crontab_id, interval_id, solar_id, clocked_id, start_time, expires, one_off
    ON django_celery_beat_periodictask
    FOR EACH ROW
    WHEN ((OLD.enabled, OLD.crontab_id, OLD.interval_id, OLD.solar_id, OLD.clocked_id, OLD.start_time, OLD.expires,
           OLD.one_off)
          IS DISTINCT FROM
          (NEW.enabled, NEW.crontab_id, NEW.interval_id, NEW.solar_id, NEW.clocked_id, NEW.start_time, NEW.expires,
           NEW.one_off))
    EXECUTE FUNCTION jobs_task_is_stale();
"""

DROP_TASK_TRIGGERS = """
DROP TRIGGER jobs_task_is_stale ON django_celery_beat_periodictask;
DROP FUNCTION jobs_task_is_stale();
DROP TRIGGER jobs_policy_of_new_task ON django_celery_beat_periodictask;
DROP FUNCTION jobs_policy_of_new_task();
"""

CREATE_TIMING_TRIGGER = """
CREATE FUNCTION jobs_{kind}_is_stale() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE jobs_schedulepolicy SET {mark_stale}
        WHERE task_id IN (SELECT id FROM django_celery_beat_periodictask WHERE {kind}_id = NEW.id);
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_{kind}_is_stale AFTER UPDATE ON {table}
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION jobs_{kind}_is_stale();
"""

DROP_TIMING_TRIGGER = """
DROP TRIGGER jobs_{kind}_is_stale ON {table};
DROP FUNCTION jobs_{kind}_is_stale();
"""

#: Rows that were there before us get their policy here.
ADOPT_EXISTING = """
INSERT INTO jobs_schedulepolicy (task_id) SELECT id FROM django_celery_beat_periodictask ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.RunSQL(CREATE_TASK_TRIGGERS.format(mark_stale=MARK_STALE), DROP_TASK_TRIGGERS),
        *(
            migrations.RunSQL(
                CREATE_TIMING_TRIGGER.format(kind=kind, table=table, mark_stale=MARK_STALE),
                DROP_TIMING_TRIGGER.format(kind=kind, table=table),
            )
            for kind, table in TIMING_TABLES.items()
        ),
        migrations.RunSQL(ADOPT_EXISTING, migrations.RunSQL.noop),
    ]
