"""Why somebody is not let in, or gets no key."""

from jobs.errors import InvalidInput


class AccountsError(Exception):
    """The sign-in was refused."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (self.__doc__ or "").splitlines()[0])


class WrongCredentials(AccountsError):
    """No active account fits these credentials."""


class InvalidToken(AccountsError):
    """The token is not valid, or not any more."""


class InvalidKey(AccountsError):
    """The API key is not valid."""


class KeyRefused(InvalidInput):
    """No such key can be made or changed."""


class TooManyAttempts(AccountsError):
    """There were too many attempts to sign in. Try again later."""

    def __init__(self, wait_seconds: float, *, is_first: bool = False) -> None:
        self.wait_seconds = wait_seconds
        #: The first one over the limit in its window: worth telling, unlike the thousands that may follow.
        self.is_first = is_first
        super().__init__()
