"""What can go wrong with an outgoing request, and whether to try again."""


class OutboundError(Exception):
    """The address could not be read."""

    #: Seconds the other side asked us to wait before the next try; None when it named no time.
    retry_after: float | None

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class OutboundUnavailable(OutboundError):
    """Not now: a time-out, a broken connection, a busy or failing server. The same request may work later."""


class OutboundRejected(OutboundError):
    """Not ever, unless somebody changes something: a forbidden address, a refusal, an answer that is too large."""
