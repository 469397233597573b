"""How asking and answering can fail, and what to do about it."""

from chat.usage import Usage
from jobs.errors import InvalidInput, PermanentError, TransientError
from knowledge.errors import KnowledgeError


class InvalidQuestion(InvalidInput):
    """The question cannot be asked like that."""


class UnknownWriter(KnowledgeError):
    """No installed writer of answers has this kind."""


class WriterError(KnowledgeError):
    """A writer gave nothing. `usage` is what it cost all the same; None when nothing was asked of a model."""

    usage: Usage | None = None


class WriterUnavailable(WriterError, TransientError):
    """Later: the writer does not answer, or asked us to wait `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.usage = usage


class WriterRefused(WriterError, PermanentError):
    """Not without a change: a key that is not accepted, a prompt that is too long, an answer that cannot be used."""

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage
