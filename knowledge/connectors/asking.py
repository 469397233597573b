"""Asking a service in turn, and again when it has a bad moment; shared by the connectors that read the web."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings

from jobs import outbound
from knowledge import rates
from knowledge.errors import AnswerUnreadable, ConnectorRejected, ConnectorUnavailable
from knowledge.rates import Attendance, Pace

T = TypeVar("T")

logger = logging.getLogger(__name__)

TRIES = 4
LIMITS = outbound.Limits(connect_seconds=10, read_seconds=30, total_seconds=80, max_bytes=60 * 1024 * 1024)
#: Statuses by which a service says that it is asked too often.
_BUSY = {429, 503}
#: A wait that is worth sitting out; longer ones end the attempt, and the job comes back later.
_LONGEST_PAUSE_SECONDS = 130.0


class Busy(Exception):
    """The service says in its own words that it is asked too often; `seconds` if it names a time."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True)
class Question:
    """One request that changes nothing there, so that it may be sent again."""

    url: str
    #: Sent as a form; None: a GET.
    content: bytes | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Service:
    """A service, and how it wants to be treated."""

    label: str
    pace: Pace
    #: Seconds for which everybody leaves it alone that says "too many requests" without a time; tripled each time.
    hold_seconds: float = 2.0


def ask(
    service: Service,
    question: Question,
    read: Callable[[outbound.OutboundResponse], T],
    attendance: Attendance,
) -> T:
    """What `read` makes of the answer.

    `read` raises Busy for an answer that says "too often" in words, AnswerUnreadable for one that is no answer, and
    other ConnectorErrors for those that will not get better. Time-outs, broken connections, 5xx and unreadable answers
    are tried again, at most four times in all; then they are ConnectorUnavailable.
    """
    for attempt in range(TRIES):
        try:
            with rates.turn(service.pace, attendance):
                response = outbound.fetch(
                    question.url,
                    method="GET" if question.content is None else "POST",
                    headers={**_form(question), **(question.headers or {})},
                    content=question.content,
                    limits=LIMITS,
                )
            return _judged(response, read)
        except Busy as busy:
            seconds = service.hold_seconds * 3**attempt if busy.seconds is None else busy.seconds
            rates.hold(service.pace.service, seconds, str(busy))
            failure = ConnectorUnavailable(
                f"{service.label} is busy: {busy}", status=429, retry_after=seconds
            )
            pause = 0.0  # the hold is waited for with the next turn
            if seconds > _LONGEST_PAUSE_SECONDS:
                raise failure from busy
        except outbound.OutboundUnavailable as error:
            failure = ConnectorUnavailable(str(error), status=error.status, retry_after=error.retry_after)
            pause = error.retry_after or settings.KNOWLEDGE_RETRY_SECONDS * 3**attempt
        except outbound.OutboundRejected as error:
            raise ConnectorRejected(f"{service.label}: {error}", status=error.status) from error
        except AnswerUnreadable as error:
            failure, pause = error, settings.KNOWLEDGE_RETRY_SECONDS * 3**attempt
        if attempt + 1 == TRIES or pause > _LONGEST_PAUSE_SECONDS:
            raise failure
        logger.info("Attempt %s to ask %s failed: %s", attempt + 1, service.label, failure)
        attendance.tell(f"{service.label} did not answer well, and is asked again: {failure}")
        attendance.sleep(pause)
    raise ConnectorUnavailable(f"{service.label} was not asked.")


def _form(question: Question) -> dict[str, str]:
    return {} if question.content is None else {"content-type": "application/x-www-form-urlencoded"}


def _judged(response: outbound.OutboundResponse, read: Callable[[outbound.OutboundResponse], T]) -> T:
    """What `read` says; when it has nothing to say about a status of failure, what the status says."""
    if response.status in _BUSY:
        said = response.body[:200].decode("utf-8", "replace").strip()
        raise Busy(said if said and "<" not in said else f"status {response.status}", response.retry_after)
    if response.status >= 300:
        with suppress(AnswerUnreadable):  # the status says more
            read(response)
        response.raise_for_status()
        raise ConnectorRejected(f"The answer has status {response.status}.", status=response.status)
    return read(response)
