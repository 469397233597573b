"""What can go wrong with an outgoing request, and whether to try again."""

from jobs.errors import PermanentError, TransientError


class OutboundError(Exception):
    """The address could not be read. `status` is the answer's HTTP status; None when there was no answer."""

    status: int | None = None
    #: Whether the server may have got the request, and done what it asks for.
    may_have_arrived = False


class OutboundUnavailable(OutboundError, TransientError):
    """Not now: a time-out, a broken connection, a busy or failing server. The same request may work later."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class OutboundRejected(OutboundError, PermanentError):
    """Not ever, unless somebody changes something: a forbidden address, a refusal, an answer that is too large."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
