"""What tells of many changed rows compares them as sets.

A join of the rows before and after is planned once for a session, mostly while few rows change, as a loop within a loop:
then a change of 100,000 schedules takes minutes. EXCEPT always hashes.
"""

from django.db import migrations

REPLACE = """
CREATE OR REPLACE FUNCTION jobs_tell_of_policies() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed json := (
        SELECT json_agg(task_id) FROM (
            SELECT task_id, next_slot_at, paused_at, paused_until, planning_error FROM after
            EXCEPT
            SELECT task_id, next_slot_at, paused_at, paused_until, planning_error FROM before
        ) AS changes);
BEGIN
    IF changed IS NOT NULL THEN
        INSERT INTO jobs_event (kind, subject, data) VALUES ('schedule', '', json_build_object('ids', changed));
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION jobs_count_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_metrictotal (series, subject, key, count, seconds)
    SELECT 'delivery', c.kind, n.state, count(*), 0
    FROM (
        SELECT id, channel_id, state FROM jobs_now EXCEPT SELECT id, channel_id, state FROM jobs_before
    ) AS n JOIN jobs_notificationchannel c ON c.id = n.channel_id
    WHERE n.state IN ('sent', 'failed', 'withdrawn')
    GROUP BY c.kind, n.state ORDER BY c.kind, n.state
    ON CONFLICT (series, subject, key) DO UPDATE SET count = jobs_metrictotal.count + EXCLUDED.count;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0013_delivery_totals")]

    # The functions before these did the same, slowly: nothing to undo.
    operations = [migrations.RunSQL(REPLACE, migrations.RunSQL.noop)]
