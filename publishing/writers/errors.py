"""How a step can fail, and what to do about it."""

from jobs.errors import PermanentError, TransientError
from publishing.errors import PublishingError
from publishing.writers.usage import Usage


class UnknownWriter(PublishingError):
    """No installed writer has this kind."""


class WriterError(PublishingError):
    """A step gave no result. `usage` is what it cost all the same; None when nothing was asked of a model."""

    usage: Usage | None = None


class WriterUnavailable(WriterError, TransientError):
    """Later: the writer does not answer, or asked us to wait `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.usage = usage


class WriterRefused(WriterError, PermanentError):
    """Not without a change: too little material, wishes that contradict each other, a key that is not accepted."""

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class TooLittle(WriterRefused):
    """The items are fine, but there are too few of them yet: they are kept for later."""


class Unfinished(WriterRefused):
    """The text breaks off, as after `finish_reason` "length". It never goes out."""
