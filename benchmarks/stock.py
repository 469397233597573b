"""The peer: plain Celery with django-celery-beat and django-celery-results, as their guides set them up.

Same broker, same database, same connection settings, Celery's defaults for everything else.
"""

import os

from celery import Celery
from django.conf import settings

QUEUE = "stock"

app = Celery("stock", set_as_current=False)
app.conf.update(
    broker_url=settings.BROKER_URL,
    broker_connection_retry_on_startup=True,
    result_backend=os.environ.get("STOCK_RESULTS", "django-db"),
    result_extended=True,
    # Celery's guide for Django sets both.
    task_track_started=os.environ.get("STOCK_TRACK_STARTED", "1") == "1",
    task_time_limit=30 * 60,
    task_default_queue=QUEUE,
)


@app.task(name="stock.do_nothing")
def do_nothing() -> None:
    """Nothing."""
