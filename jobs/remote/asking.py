"""Remote control of workers over the broker, with a bound for how long it may take."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from celery import current_app

from jobs.errors import BrokerUnavailable
from jobs.outbox import broker_errors

#: Seconds that the broker may take to answer, and that workers may.
BROKER_SECONDS = 1.0
WORKER_SECONDS = 1.5


def ask(command: str, workers: Sequence[str], **arguments: Any) -> dict[str, Any]:
    """What each of these workers answers within `WORKER_SECONDS`; raises BrokerUnavailable."""
    if not workers:
        return {}
    with _broker() as broker:
        answers = current_app.control.broadcast(
            command,
            arguments=arguments,
            destination=list(workers),
            connection=broker,
            reply=True,
            timeout=WORKER_SECONDS,
            limit=len(workers),
        )
    return {name: answer for one in answers or [] for name, answer in one.items()}


def tell(command: str, worker: str, **arguments: Any) -> None:
    """Send a command that is not answered; raises BrokerUnavailable."""
    with _broker() as broker:
        current_app.control.broadcast(command, arguments=arguments, destination=[worker], connection=broker)


@contextmanager
def _broker() -> Iterator[Any]:
    limits = {"socket_timeout": BROKER_SECONDS + WORKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
    try:
        with current_app.connection_for_write(
            connect_timeout=BROKER_SECONDS,
            transport_options=limits,
        ) as broker:
            broker.ensure_connection(max_retries=0)
            yield broker
    except broker_errors() as error:
        raise BrokerUnavailable from error
