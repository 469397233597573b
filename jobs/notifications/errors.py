"""Why a message was not sent, and what follows from it."""

from collections.abc import Mapping
from typing import Any

from jobs.errors import JobsError, NotFound, PermanentError, TransientError


class UnknownChannelKind(NotFound):
    """No kind of channel of that name is registered."""


class SettingsOutdated(JobsError):
    """The kind of the channel wants other settings than it has."""


class NotSent(Exception):
    """Base of the four below. `status` is the code of HTTP or SMTP, None without an answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request: Mapping[str, Any] = request or {}


class NotNow(NotSent, TransientError):
    """The same may work later: a time-out, a busy or failing server."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, request=request)
        self.retry_after = retry_after


class Refused(NotSent, PermanentError):
    """This message never; the next one may."""


class RecipientRefused(Refused):
    """This recipient never: there is no such mailbox."""


class ChannelRefused(Refused):
    """Nothing over this channel, until somebody changes something: gone, forbidden, not to be trusted."""
