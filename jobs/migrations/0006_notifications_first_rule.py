"""Whoever starts anew is told of everything in the inbox: a channel and the default rule. Both may be changed."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

CHANNEL, RULE = "Inbox", "Everything else"
CHANGES = ["opened", "reopened", "escalated", "flapping", "steady", "report"]


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    inbox = apps.get_model("jobs", "NotificationChannel").objects.create(name=CHANNEL, kind="inbox")
    rule = apps.get_model("jobs", "NotificationRule").objects.create(
        name=RULE, is_default=True, position=1000, changes=CHANGES
    )
    rule.channels.add(inbox)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("jobs", "NotificationRule").objects.filter(name=RULE, is_default=True).delete()
    apps.get_model("jobs", "NotificationChannel").objects.filter(name=CHANNEL, kind="inbox").delete()


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_notifications")]

    operations = [migrations.RunPython(add, remove)]
