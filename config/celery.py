"""The Celery application: its settings are the `CELERY_*` names of Django's settings."""

import logging
import os

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("almanac", task_cls="jobs.celery_task:LedgerTask")
app.config_from_object("django.conf:settings", namespace="CELERY")


@signals.setup_logging.connect
def keep_logging(loglevel: int, **kwargs: object) -> None:
    """Django has set logging up; Celery's own handlers would write in a format of their own."""
    logging.getLogger().setLevel(loglevel)
