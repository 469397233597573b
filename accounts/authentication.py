"""Who asks, by the token of the request: one query tells the user and all permissions."""

from django.contrib.auth.models import User
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from accounts import tokens
from accounts.errors import InvalidToken
from accounts.permissions import user_with_permissions


class TokenAuthentication(JWTAuthentication):
    """`Authorization: Bearer <access token>`."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]  # no stateless users
        """The active user of the token, if the password is still that of the sign-in."""
        try:
            return tokens.holder(validated_token, user_with_permissions)
        except InvalidToken as error:
            raise AuthenticationFailed(str(error)) from error


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # registers itself
    """The same in the OpenAPI document."""

    target_class = "accounts.authentication.TokenAuthentication"
