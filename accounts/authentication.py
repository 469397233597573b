"""Who asks, by the token or the API key of the request: one query tells the user and all permissions."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import Token

from accounts import keys, tokens
from accounts.errors import InvalidKey, InvalidToken
from accounts.models import ApiKey
from accounts.permissions import user_with_permissions
from accounts.sign_in import address_of
from jobs import origin


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


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Api-Key <key>`, for programs. What is done with a key is told with its name."""

    keyword = "api-key"

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != self.keyword:
            return None
        try:
            user, key = keys.holder(secret.strip(), address=address_of(request))
        except InvalidKey as error:
            raise AuthenticationFailed(str(error)) from error
        origin.note_api_key(str(key))
        return user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Api-Key realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself
    """The same in the OpenAPI document."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <key>`, with a key made in the admin or at `auth/keys/`.",
        }
