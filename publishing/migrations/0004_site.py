"""What the pages of the built-in site are looked up by, and that there is one publisher for it."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("publishing", "0003_agents_and_generations")]

    operations = [
        migrations.AddIndex(
            model_name="post",
            index=GinIndex(fields=["tags"], name="publishing_post_tags"),
        ),
        migrations.AddIndex(
            model_name="publication",
            index=models.Index(
                fields=["publisher", "-published_at", "-id"],
                name="publishing_publication_there",
                condition=models.Q(state="published"),
            ),
        ),
        migrations.AddConstraint(
            model_name="publisher",
            constraint=models.UniqueConstraint(
                fields=["kind"],
                condition=models.Q(kind="site"),
                name="publishing_publisher_one_site",
                violation_error_code="unique",
                violation_error_message="There is one built-in blog, and a publisher for it already.",
            ),
        ),
    ]
