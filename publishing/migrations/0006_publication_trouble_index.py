from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("publishing", "0005_sources_without_address")]

    operations = [
        migrations.AddIndex(
            model_name="publication",
            index=models.Index(
                condition=models.Q(("state__in", ["failed", "missed", "unconfirmed"])),
                fields=["publisher", "state"],
                name="publishing_publication_trouble",
            ),
        ),
    ]
