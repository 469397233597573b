"""Database triggers: a run inherits its owner group, an audit event is never changed; and the older admin log is taken over.

Triggers, not code in each place that makes runs: slots, retries and children are written by several statements, and
a run that was forgotten would be seen by everybody.
"""

from django.conf import settings
from django.db import migrations

CREATE_INHERITANCE = """
CREATE FUNCTION jobs_run_inherits_group() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.owner_group_id := COALESCE(
        (SELECT owner_group_id FROM jobs_jobrun WHERE id = NEW.retry_of_id),
        (SELECT owner_group_id FROM jobs_jobrun WHERE id = NEW.parent_id),
        (SELECT owner_group_id FROM jobs_schedulepolicy WHERE task_id = NEW.schedule_id)
    );
    RETURN NEW;
END $$;

CREATE TRIGGER jobs_run_inherits_group BEFORE INSERT ON jobs_jobrun
    FOR EACH ROW
    WHEN (NEW.owner_group_id IS NULL
          AND (NEW.schedule_id IS NOT NULL OR NEW.retry_of_id IS NOT NULL OR NEW.parent_id IS NOT NULL))
    EXECUTE FUNCTION jobs_run_inherits_group();
"""
DROP_INHERITANCE = """
DROP TRIGGER jobs_run_inherits_group ON jobs_jobrun;
DROP FUNCTION jobs_run_inherits_group();
"""

CREATE_SEAL = """
CREATE FUNCTION jobs_audit_is_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An audit event is never changed.';
END $$;

CREATE TRIGGER jobs_audit_is_sealed BEFORE UPDATE ON jobs_auditevent
    FOR EACH ROW EXECUTE FUNCTION jobs_audit_is_sealed();
"""
DROP_SEAL = """
DROP TRIGGER jobs_audit_is_sealed ON jobs_auditevent;
DROP FUNCTION jobs_audit_is_sealed();
"""

TAKE_OVER = """
INSERT INTO jobs_auditevent (at, action, user_id, who, api_key, address, subject_type, subject_id, subject, message,
                             changes)
SELECT log.action_time, CASE log.action_flag WHEN 1 THEN 'added' WHEN 3 THEN 'deleted' ELSE 'changed' END,
    log.user_id, person.username, '', '', coalesce(kind.app_label || '.' || kind.model, ''),
    coalesce(left(log.object_id, 64), ''), log.object_repr, log.change_message, '{}'
FROM django_admin_log log
JOIN auth_user person ON person.id = log.user_id
LEFT JOIN django_content_type kind ON kind.id = log.content_type_id
ORDER BY log.id
"""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0010_teams"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("contenttypes", "0002_remove_content_type_name"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(CREATE_INHERITANCE, DROP_INHERITANCE),
        migrations.RunSQL(CREATE_SEAL, DROP_SEAL),
        migrations.RunSQL(TAKE_OVER, migrations.RunSQL.noop),
    ]
