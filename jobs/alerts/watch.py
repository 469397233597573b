"""The watch: looks every few seconds at what is wrong, and raises and ends the control plane's own alerts.

Any number of processes call `look`; one at a time does it (an advisory lock of the transaction), and not more
often than every `JOBS_WATCH_SECONDS`. A look is some twenty small statements, whatever the number of runs, and one
transaction: it happened, or it did not.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from kombu.exceptions import OperationalError as BrokerError

from jobs import outbox
from jobs.alerts import canary, changes, flapping, incidents, outages, rules, troubles, waiting
from jobs.alerts.raising import unfold
from jobs.models import Alert, AlertWatch

#: How long the broker may take to answer, in seconds.
BROKER_SECONDS = 1.0
#: The key of the advisory lock.
_LOCK = 5_307_114


def look() -> bool:
    """Look once, unless another process does or has just done so; True when this one did. Raises Django's Error."""
    if not _is_due():
        return False
    broker_error = _ask_broker()
    with transaction.atomic():
        if not _is_alone() or not _is_due():
            return False
        look_at(now(), broker_error=broker_error)
    return True


def look_at(at: datetime, *, broker_error: str = "") -> None:
    """Look at everything as it is at that moment, in the caller's transaction."""
    memory, _ = AlertWatch.objects.get_or_create(pk=1)
    outages.tell_of_unwatched_time(memory, at)
    memory.looked_at = at
    outages.watch_scheduler(memory, at)
    outages.watch_broker(memory, at, broker_error)
    outages.watch_database(at)
    memory.save()
    spans = incidents.spans(at)
    while troubles.note(spans) >= troubles.BATCH:
        pass
    waiting.watch_queues(at, spans)
    waiting.watch_running(at)
    canary.watch(at)
    rules.ask(at)
    _release(at)
    changes.wake(at)
    flapping.settle(at)
    canary.send_due(at)


def _is_due() -> bool:
    looked_at = AlertWatch.objects.values_list("looked_at", flat=True).first()
    return looked_at is None or now() - looked_at >= timedelta(seconds=settings.JOBS_WATCH_SECONDS)


def now() -> datetime:
    """The database's time: machines need not agree on theirs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def _is_alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _ask_broker() -> str:
    """What the broker's silence looks like; empty when it answers."""
    try:
        outbox.ping(timeout=BROKER_SECONDS)
    except BrokerError as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _release(at: datetime) -> None:
    """What an incident explained and is still bad long after it: it has a cause of its own."""
    for alert in Alert.objects.live().filter(
        incident__state=Alert.State.RESOLVED, incident__resolved_at__lt=at - incidents.AFTERMATH
    ):
        unfold(alert.pk, at=at)
