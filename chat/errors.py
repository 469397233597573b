"""How asking a model can fail, and what to do about it."""

from chat.usage import Usage
from jobs.errors import PermanentError, TransientError


class ChatError(Exception):
    """There is no answer. `usage` is what it may have cost all the same; None when nothing can have been billed."""

    usage: Usage | None = None


class ChatUnavailable(ChatError, TransientError):
    """Later: no connection, a busy or failing server, a model that fell silent."""

    def __init__(self, message: str, *, retry_after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.usage = usage


class ChatRefused(ChatError, PermanentError):
    """Not without a change: no endpoint, a key that is not accepted, no money left, a prompt that is too long."""

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class CutOff(ChatRefused):
    """The answer breaks off: the model had no room left for the rest, or did not say that it is whole."""


class Unusable(ChatRefused):
    """The model answered, but not with what was asked for. Readers of answers raise it; see `chat.ask`."""


class NotUnderstood(ChatRefused):
    """The server says that the request is wrong. `said` is all it said, `parameter` the one that it names."""

    def __init__(self, message: str, *, said: str, parameter: str) -> None:
        super().__init__(message)
        self.said = said
        self.parameter = parameter
