"""The Celery application: its settings are the `CELERY_*` names of Django's settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("almanac", task_cls="jobs.celery_task:LedgerTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
