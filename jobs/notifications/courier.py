"""The courier: a thread in every scheduler and worker that tells people what happened. It needs only the database.

Any number of couriers work side by side. Each looks once a second, with one query while there is nothing to do.
Sending has threads of its own, so that a slow receiver keeps back nothing but its own channel.
"""

import atexit
import logging
import os
import threading
import time
from datetime import datetime
from typing import Any

from celery import signals
from django.db import Error, InterfaceError, OperationalError, connection
from django.utils import timezone

from jobs.notifications import deliveries, digests, escalation, routing, sending
from jobs.notifications.deliveries import Claim

logger = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY = 1.0
#: How many messages one process sends at the same time.
HANDS = 4
#: Seconds that messages under way get when the process stops; after that their lease runs out.
FAREWELL_SECONDS = 10.0

_ANYTHING = """
SELECT EXISTS (SELECT 1 FROM jobs_alertevent WHERE notified_at IS NULL)
    OR EXISTS (SELECT 1 FROM jobs_escalation WHERE due_at <= %(now)s)
    OR EXISTS (SELECT 1 FROM jobs_digestentry WHERE due_at <= %(now)s)
    OR EXISTS (SELECT 1 FROM jobs_delivery WHERE state = 'waiting' AND due_at <= %(now)s)
    OR EXISTS (SELECT 1 FROM jobs_delivery WHERE state = 'sending' AND lease_until < %(now)s)
"""


class Courier(threading.Thread):
    """Works until it is stopped."""

    def __init__(self) -> None:
        super().__init__(name="courier", daemon=True)
        self._is_stopped = threading.Event()
        self._look = threading.Event()
        self._busy: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        while not self._is_stopped.is_set():
            self._look.clear()
            try:
                self._round()
            except Error as error:
                logger.warning("Notifications wait for the database: %s", error)
                connection.close()
            except Exception:
                logger.exception("A round of notifications broke.")
            self._look.wait(EVERY)
        connection.close()

    def stop(self) -> None:
        """Take up nothing more, and wait a moment for what is under way."""
        self._is_stopped.set()
        self._look.set()
        deadline = time.monotonic() + FAREWELL_SECONDS
        with self._lock:
            waited_for = [self, *self._busy]
        for thread in waited_for:
            if thread.is_alive():
                thread.join(max(deadline - time.monotonic(), 0))

    def _round(self) -> None:
        now = timezone.now()
        if not is_anything_to_do(now):
            return
        prepare(now)
        with self._lock:
            free = HANDS - len(self._busy)
        for claim in deliveries.claim(free, now=timezone.now()):
            thread = threading.Thread(target=self._carry, args=[claim], name="courier-hand", daemon=True)
            with self._lock:
                self._busy.add(thread)
            thread.start()

    def _carry(self, claim: Claim) -> None:
        try:
            sending.carry(claim)
        except Error as error:  # the lease will run out, and the delivery is made again
            logger.warning("What came of delivery %s could not be written down: %s", claim.delivery.pk, error)
        except Exception:
            logger.exception("Delivery %s broke.", claim.delivery.pk)
        finally:
            connection.close()
            with self._lock:
                self._busy.discard(threading.current_thread())
            self._look.set()


def is_anything_to_do(now: datetime) -> bool:
    """Whether a round would find work; one cheap query."""
    with connection.cursor() as cursor:
        cursor.execute(_ANYTHING, {"now": now})
        (found,) = cursor.fetchone() or (False,)
    return bool(found)


def prepare(now: datetime) -> None:
    """Everything but sending: what happened becomes deliveries, what got lost is taken back.

    A part that breaks keeps back neither the others nor what is to be sent.
    """
    parts = (
        routing.route_events,
        escalation.escalate_due,
        digests.send_due,
        deliveries.recover_lost,
        deliveries.withdraw_old,
    )
    for part in parts:
        try:
            part(now=now)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            logger.exception("A part of the notifications broke: %s.%s", part.__module__, part.__name__)


_courier: tuple[int, Courier] | None = None


@signals.beat_init.connect(weak=False)
@signals.worker_ready.connect(weak=False)
def start(**kwargs: Any) -> None:
    """Start this process's courier."""
    global _courier
    if _courier is None or _courier[0] != os.getpid():
        _courier = (os.getpid(), Courier())
        _courier[1].start()
        atexit.register(stop)


@signals.worker_shutting_down.connect(weak=False)
def stop(**kwargs: Any) -> None:
    """Stop this process's courier, if it has one; a child process has not inherited it."""
    global _courier
    if _courier is not None and _courier[0] == os.getpid():
        _courier[1].stop()
        _courier = None
