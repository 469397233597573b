"""Signing in with a username or an email address: one function for the API and the admin."""

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle

from accounts import limits, permissions
from accounts.errors import TooManyAttempts, WrongCredentials
from jobs import audit
from jobs.models import AuditEvent

Action = AuditEvent.Action


def check(login: str, password: str, *, address: str) -> User:
    """The active user with that username or email address and password.

    Raises WrongCredentials, the same and after the same time for an unknown name, a wrong password and an
    inactive account, and TooManyAttempts.
    """
    try:
        limits.take(login, address)
    except TooManyAttempts as error:
        if error.is_first:
            _tell(Action.LOCKED_OUT, _find(login), "Too many attempts to sign in.")
        raise
    user = _find(login)
    if user is None:
        # As much work as for a user that exists.
        get_user_model()().set_password(password)
        _tell(Action.REFUSED, None, "No account has this name.")
        raise WrongCredentials
    if not user.check_password(password) or not user.is_active:
        _tell(Action.REFUSED, user, "Wrong password." if user.is_active else "The account is not active.")
        raise WrongCredentials
    limits.forgive(login, address)
    audit.write(Action.SIGNED_IN, by=user, thing=user)
    return user


def address_of(request: HttpRequest) -> str:
    """Where a request comes from; `X-Forwarded-For` counts only as far as our own proxies wrote it."""
    return BaseThrottle().get_ident(request) or ""  # type: ignore[arg-type]  # it reads META only


def _tell(action: AuditEvent.Action, user: User | None, message: str) -> None:
    """Names of no account are not kept: now and then people type their password there."""
    name = user.get_username() if user else ""
    audit.write(action, by=None, who=name, thing=user, message=message)


def _find(login: str) -> User | None:
    """A username wins over an email address; an address that several accounts share finds none of them."""
    by_name = User.objects.filter(username=login).first()
    if by_name is not None or "@" not in login:
        return by_name
    found = list(User.objects.filter(email__iexact=login)[:2])
    return found[0] if len(found) == 1 else None


class SignInBackend(ModelBackend):
    """Django's users and permissions, with our way in: the admin's login form has the same limits as the API."""

    def authenticate(  # type: ignore[override]  # no other keyword arguments are taken
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None
    ) -> AbstractBaseUser | None:
        if username is None or password is None:
            return None
        try:
            return check(username, password, address=address_of(request) if request else "")
        except WrongCredentials:
            return None
        except TooManyAttempts as error:
            if request is not None:
                request.sign_in_refused = error  # type: ignore[attr-defined]  # for the form, which learns of no error
            raise PermissionDenied(str(error)) from error

    def get_all_permissions(  # type: ignore[override]  # users are Django's own here
        self, user_obj: User, obj: Model | None = None
    ) -> set[str]:
        """As Django's, in one query instead of two."""
        if obj is not None or not user_obj.is_active or user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        return permissions.names_of(user_obj)
