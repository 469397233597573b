"""Where the request that is being answered comes from, for the audit trail."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import AbstractBaseUser


@dataclass(frozen=True)
class Origin:
    """An address and, for programs, the API key. Both empty outside requests: the command line and jobs."""

    address: str = ""
    api_key: str = ""
    #: `request.user`, which is found out when somebody asks for it.
    lazy_user: Any = None

    @property
    def user(self) -> AbstractBaseUser | None:
        """Who is signed in, for code that is not told: hooks of Django."""
        return self.lazy_user if getattr(self.lazy_user, "is_authenticated", False) else None


_current: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


def current() -> Origin:
    """Where the present request comes from."""
    return _current.get()


def note_api_key(name: str) -> None:
    """The present request is authenticated by this key."""
    _current.set(replace(_current.get(), api_key=name[:120]))


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Everything inside comes from there."""
    token = _current.set(origin)
    try:
        yield
    finally:
        _current.reset(token)
