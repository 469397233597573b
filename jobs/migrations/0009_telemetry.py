"""What the metrics count, by database triggers: see docs/decisions/0007-metrics-from-the-ledger.md."""

from django.db import migrations, models

#: Without an argument the event is the run's new status.
CREATE_TRIGGERS = """
CREATE FUNCTION jobs_tally_run() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event text := COALESCE(TG_ARGV[0], CASE NEW.status WHEN 'retrying' THEN 'retry' ELSE NEW.status END);
    ran boolean := TG_OP = 'UPDATE' AND OLD.status = 'running';
BEGIN
    INSERT INTO jobs_runtally (event, job, seconds, waited) VALUES (
        event,
        NEW.job,
        CASE WHEN ran AND event IN ('succeeded', 'partial', 'failed')
             THEN GREATEST(extract(epoch FROM NEW.finished_at - NEW.started_at), 0) END,
        -- Told once for each run: when its first attempt is over.
        CASE WHEN ran AND NEW.attempt = 1 AND (event <> 'lost' OR NEW.status = 'queued')
             THEN GREATEST(extract(epoch FROM NEW.started_at - NEW.queued_at), 0) END
    );
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_tally_ended AFTER UPDATE OF status ON jobs_jobrun FOR EACH ROW
    WHEN (OLD.status <> NEW.status
          AND NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled', 'skipped', 'missed', 'retrying'))
    EXECUTE FUNCTION jobs_tally_run();

CREATE TRIGGER jobs_tally_never_ran AFTER INSERT ON jobs_jobrun FOR EACH ROW
    WHEN (NEW.status IN ('succeeded', 'partial', 'failed', 'cancelled', 'skipped', 'missed'))
    EXECUTE FUNCTION jobs_tally_run();

CREATE TRIGGER jobs_tally_lost AFTER UPDATE OF status ON jobs_jobrun FOR EACH ROW
    WHEN (OLD.status = 'running' AND (NEW.status = 'queued' OR NEW.error_type = 'jobs.errors.RunLost'))
    EXECUTE FUNCTION jobs_tally_run('lost');

CREATE TRIGGER jobs_tally_resent AFTER UPDATE OF publish_count ON jobs_jobrun FOR EACH ROW
    WHEN (NEW.status = 'queued' AND OLD.publish_count > 0 AND NEW.publish_count > OLD.publish_count)
    EXECUTE FUNCTION jobs_tally_run('resend');
"""

DROP_TRIGGERS = """
DROP TRIGGER jobs_tally_ended ON jobs_jobrun;
DROP TRIGGER jobs_tally_never_ran ON jobs_jobrun;
DROP TRIGGER jobs_tally_lost ON jobs_jobrun;
DROP TRIGGER jobs_tally_resent ON jobs_jobrun;
DROP FUNCTION jobs_tally_run();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0008_lateness"),
    ]

    operations = [
        migrations.CreateModel(
            name="RunTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "event",
                    models.CharField(help_text="A status that ends runs, or one of `Event`.", max_length=10),
                ),
                ("job", models.CharField(max_length=200)),
                ("seconds", models.FloatField(help_text="How long the last attempt took.", null=True)),
                (
                    "waited",
                    models.FloatField(help_text="Seconds from the wish to the first attempt.", null=True),
                ),
            ],
            options={
                "default_permissions": (),
                "verbose_name": "tally of a run",
                "verbose_name_plural": "tallies of runs",
            },
        ),
        migrations.AlterModelOptions(
            name="processheartbeat",
            options={
                "permissions": [("control_worker", "Can change and stop running workers")],
                "verbose_name": "process",
                "verbose_name_plural": "processes",
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="traceparent",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The trace that the run belongs to (W3C Trace Context), when tracing is on.",
                max_length=55,
            ),
        ),
        migrations.CreateModel(
            name="MetricTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("series", models.CharField(help_text="What is counted, such as `outcome`.", max_length=30)),
                ("subject", models.CharField(help_text="Of which job or page.", max_length=200)),
                (
                    "key",
                    models.CharField(
                        help_text="An outcome, or the upper bound of a histogram's bucket.", max_length=40
                    ),
                ),
                ("count", models.BigIntegerField(default=0)),
                ("seconds", models.FloatField(default=0, help_text="The sum of what was measured.")),
            ],
            options={
                "default_permissions": (),
                "verbose_name": "total",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("series", "subject", "key"), name="jobs_one_total_per_key"
                    )
                ],
            },
        ),
        migrations.RunSQL(CREATE_TRIGGERS, DROP_TRIGGERS),
    ]
