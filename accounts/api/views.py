"""Signing in: tokens for a login and a password, and who one is."""

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import sign_in, tokens
from accounts.api.serializers import (
    AccountSerializer,
    CredentialsSerializer,
    RefreshSerializer,
    TokensSerializer,
)


class LoginView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="auth_login", request=CredentialsSerializer, responses=TokensSerializer, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Sign in with a username or an email address. At most 5 attempts a minute for one name."""
        credentials = CredentialsSerializer(data=request.data)
        credentials.is_valid(raise_exception=True)
        given = credentials.validated_data
        login = given.get("username") or given["email"]
        user = sign_in.check(login, given["password"], address=sign_in.address_of(request))
        return Response(TokensSerializer(tokens.issue(user)).data)


class RefreshView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="auth_refresh", request=RefreshSerializer, responses=TokensSerializer, auth=[]
    )
    def post(self, request: Request) -> Response:
        """Get a new access token for a refresh token."""
        given = RefreshSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(TokensSerializer(tokens.renew(given.validated_data["refresh"])).data)


class MeView(APIView):
    permission_classes = (IsAuthenticated,)

    @extend_schema(operation_id="auth_me", responses=AccountSerializer)
    def get(self, request: Request) -> Response:
        """Who one is, and what one may do."""
        assert request.user.is_authenticated  # noqa: S101 - by the permission
        return Response(AccountSerializer(request.user).data)
