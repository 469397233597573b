"""What can go wrong in knowledge, and what to do about it."""

from django.core.exceptions import ImproperlyConfigured

from jobs.errors import InvalidInput, PermanentError, TransientError


class KnowledgeError(Exception):
    """Something in knowledge did not work."""


class UnknownConnector(KnowledgeError):
    """No installed connector has this kind."""


class ConnectorError(KnowledgeError):
    """A connector could not say what it was asked for. Never raised because nothing was found.

    `status` is the HTTP status behind it, if there was one.
    """

    status: int | None = None


class ConnectorUnavailable(ConnectorError, TransientError):
    """Later: the service does not answer, is busy, or asked us to wait `retry_after` seconds."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class AnswerUnreadable(ConnectorUnavailable):
    """Later: the service answered with something that is none of its answers, such as a proxy's error page."""


class ConnectorRejected(ConnectorError, PermanentError):
    """Never, without a change of ours: an unknown API key, a forbidden address, a request that is refused."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class QueryRejected(ConnectorRejected):
    """Your query: it is empty, or the service cannot make sense of it."""


class InvalidConfiguration(KnowledgeError, ImproperlyConfigured):
    """Our configuration: the file cannot be read, or an entry of it cannot be like that. Names file and place."""


class InvalidSource(InvalidInput):
    """The source cannot be like that."""


class InvalidTopic(InvalidInput):
    """The topic cannot be like that."""


class InvalidResearchJob(InvalidInput):
    """The research job cannot be like that."""
