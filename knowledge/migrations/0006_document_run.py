from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0005_configured_entries"),
    ]

    operations = [
        migrations.AddField(
            model_name="document",
            name="run_id",
            field=models.UUIDField(
                blank=True,
                editable=False,
                help_text="The run that reads it, or has read it last.",
                null=True,
            ),
        ),
    ]
