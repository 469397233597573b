"""Owner groups of schedules and runs, and the audit trail."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0009_telemetry"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("added", "Added"),
                            ("changed", "Changed"),
                            ("deleted", "Deleted"),
                            ("controlled", "Used a control"),
                            ("signed_in", "Signed in"),
                            ("refused", "Sign-in refused"),
                            ("locked_out", "Locked out for a while"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "who",
                    models.CharField(
                        blank=True, help_text="The name of the account at the time.", max_length=150
                    ),
                ),
                (
                    "api_key",
                    models.CharField(
                        blank=True, help_text="Name and start of the API key used.", max_length=120
                    ),
                ),
                (
                    "address",
                    models.CharField(
                        blank=True, help_text="The network address it came from.", max_length=64
                    ),
                ),
                (
                    "subject_type",
                    models.CharField(
                        blank=True,
                        help_text='Such as "jobs.schedule"; empty for what is no row.',
                        max_length=120,
                    ),
                ),
                ("subject_id", models.CharField(blank=True, max_length=64)),
                ("subject", models.CharField(blank=True, help_text="Its name at the time.", max_length=200)),
                ("message", models.TextField(blank=True)),
                ("changes", models.JSONField(default=dict, help_text="Field to [before, after], as text.")),
                (
                    "owner_group_id",
                    models.IntegerField(
                        help_text="The group of the schedule or run: only members see the event.", null=True
                    ),
                ),
            ],
            options={
                "verbose_name": "audit event",
                "ordering": ["-id"],
                "permissions": [("export_auditevent", "Can export the audit trail")],
                "default_permissions": ("view",),
            },
        ),
        migrations.AlterModelOptions(
            name="schedulepolicy",
            options={
                "permissions": [
                    ("see_all_groups", "Can see and control the schedules and runs of every group")
                ],
                "verbose_name": "schedule policy",
                "verbose_name_plural": "schedule policies",
            },
        ),
        migrations.AddField(
            model_name="jobrun",
            name="owner_group",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Only members see the run. Empty: everybody who may see runs. Inherited, by a database trigger, from the run it repeats, the run it is part of, or its schedule.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="auth.group",
            ),
        ),
        migrations.AddField(
            model_name="schedulepolicy",
            name="owner_group",
            field=models.ForeignKey(
                blank=True,
                help_text="Only members see the schedule and its runs. Empty: everybody who may see schedules.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="auth.group",
            ),
        ),
        migrations.AddIndex(
            model_name="jobrun",
            index=models.Index(
                condition=models.Q(("owner_group__isnull", False)),
                fields=["owner_group", "-id"],
                name="jobs_run_by_group",
            ),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="Stays when the account is deleted.",
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["at"], name="jobs_audit_at"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["user", "-id"], name="jobs_audit_by_user"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["action", "-id"], name="jobs_audit_by_action"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["subject_type", "subject_id", "-id"], name="jobs_audit_by_subject"),
        ),
    ]
