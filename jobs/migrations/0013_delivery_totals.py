"""Count how deliveries end, for the metrics: see docs/decisions/0007-metrics-from-the-ledger.md."""

from django.db import migrations

CREATE = """
CREATE FUNCTION jobs_count_deliveries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_metrictotal (series, subject, key, count, seconds)
    SELECT 'delivery', c.kind, n.state, count(*), 0
    FROM jobs_now n JOIN jobs_before b USING (id) JOIN jobs_notificationchannel c ON c.id = n.channel_id
    WHERE n.state <> b.state AND n.state IN ('sent', 'failed', 'withdrawn')
    GROUP BY c.kind, n.state ORDER BY c.kind, n.state
    ON CONFLICT (series, subject, key) DO UPDATE SET count = jobs_metrictotal.count + EXCLUDED.count;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_count_deliveries AFTER UPDATE ON jobs_delivery
    REFERENCING OLD TABLE AS jobs_before NEW TABLE AS jobs_now
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_count_deliveries();
"""

DROP = """
DROP TRIGGER jobs_count_deliveries ON jobs_delivery;
DROP FUNCTION jobs_count_deliveries();
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_notifications_first_rule")]

    operations = [migrations.RunSQL(CREATE, DROP)]
