"""Alerts about the runs of a group are seen by its members only."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("jobs", "0011_overlap_rules"),
    ]

    operations = [
        migrations.AddField(
            model_name="alert",
            name="owner_group",
            field=models.ForeignKey(
                blank=True,
                help_text="Only members see it, like the runs it is about. Empty: everybody who may see alerts.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="auth.group",
            ),
        ),
    ]
