"""Only rules that are known, also when they are written by SQL."""

from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        ("jobs", "0010_teams_triggers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="schedulepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "overlap__in",
                        ["skip", "buffer_one", "buffer_all", "cancel_other", "terminate_other", "allow_all"],
                    )
                ),
                name="jobs_policy_known_overlap",
            ),
        ),
    ]
