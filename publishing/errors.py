"""What can go wrong in publishing, and what to do about it."""

from jobs.errors import PermanentError, TransientError


class PublishingError(Exception):
    """Something in publishing did not work."""


class UnknownSourceKind(PublishingError):
    """No installed source has this kind."""


class UnknownPublisherKind(PublishingError):
    """No installed publisher has this kind."""


class QuotaExceeded(PublishingError, PermanentError):
    """The agent has used up what it may write or spend in this time."""


class SourceError(PublishingError):
    """A source could not be polled. `status` is the HTTP status behind it, if there was one."""

    status: int | None = None


class SourceUnavailable(SourceError, TransientError):
    """Later: the source does not answer, or asked us to wait `retry_after` seconds."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        is_host_busy: bool = False,
    ) -> None:
        """`is_host_busy`: the whole host asked for quiet (429, 503), not only this address."""
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.is_host_busy = is_host_busy


class SourceRejected(SourceError, PermanentError):
    """Not without a change: the address is forbidden, missing or refuses us."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SourceGone(SourceRejected):
    """Never again: the server says that this address is gone for good (410)."""


class SourceUnreadable(SourceRejected):
    """The address answers, but not with something this kind of source can read."""
