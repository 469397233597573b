"""Database connections of workers, kept from task to task.

Celery's support for Django closes them before and after every task, whatever `CONN_MAX_AGE` says: a new
PostgreSQL backend for each run costs more than everything a short run does with it. `CELERY_DB_REUSE_MAX` in the
settings switches that off; here the rule of Django's own requests takes its place. A connection goes when it
is broken, older than `CONN_MAX_AGE`, or left by a body with autocommit off.
"""

from typing import Any

from celery import signals
from django.db import close_old_connections


@signals.task_prerun.connect(weak=False)
@signals.task_postrun.connect(weak=False)
def drop_unusable(sender: Any, **kwargs: Any) -> None:
    """Close what the next task must not use. Nothing is asked of the database unless an error occurred."""
    if not sender.request.is_eager:
        close_old_connections()
