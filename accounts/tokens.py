"""Access and refresh tokens."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import RefreshToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.errors import InvalidToken


@dataclass(frozen=True)
class Tokens:
    """A short-lived token for requests and a long-lived one that gets the next."""

    access: str
    refresh: str


def issue(user: User) -> Tokens:
    """New tokens. A change of the password ends them."""
    refresh = RefreshToken.for_user(user)
    return Tokens(access=str(refresh.access_token), refresh=str(refresh))


def renew(refresh: str) -> Tokens:
    """A new access token for a refresh token; raises InvalidToken."""
    try:
        token = RefreshToken(refresh)  # type: ignore[arg-type]  # the stub wants a token, the code takes text
    except TokenError as error:
        raise InvalidToken from error
    holder(token, lambda pk: User.objects.filter(pk=pk).first())
    return Tokens(access=str(token.access_token), refresh=str(token))


def holder(token: Token, find: Callable[[int], User | None]) -> User:
    """The active user a token was made for, found by `find`; raises InvalidToken, also after a change of password."""
    pk = str(token.get(api_settings.USER_ID_CLAIM, ""))
    user = find(int(pk)) if pk.isascii() and pk.isdigit() else None
    if user is None or not user.is_active:
        raise InvalidToken
    if token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise InvalidToken
    return user
