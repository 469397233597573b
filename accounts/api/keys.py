"""`auth/keys/`: one's own API keys; with the permission to manage them, everybody's."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from accounts import keys
from accounts.models import ApiKey
from accounts.role_groups import scopes
from jobs.api.answers import person
from jobs.api.fields import MomentField
from jobs.api.parsing import StrictSerializer, read_body
from jobs.errors import InvalidInput

_LONGEST_OVERLAP = int(keys.LONGEST_OVERLAP.total_seconds())


class KeySerializer(serializers.ModelSerializer[ApiKey]):
    owner = serializers.CharField(source="owner.username")
    state = serializers.SerializerMethodField(help_text="active, expired or revoked.")
    replaced_by = serializers.IntegerField(source="replaced_by_id", allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "id",
            "name",
            "prefix",
            "owner",
            "scopes",
            "networks",
            "state",
            "created_at",
            "expires_at",
            "revoked_at",
            "last_used_at",
            "last_used_from",
            "replaced_by",
        ]
        read_only_fields = fields

    def get_state(self, key: ApiKey) -> str:
        return key.state(timezone.now())


class NewKeySerializer(serializers.Serializer[keys.NewKey]):
    key = serializers.CharField(source="secret", help_text="The key itself. It is shown now and never again.")
    about = KeySerializer(source="row")


class KeyInputSerializer(StrictSerializer):
    name = serializers.CharField(max_length=100, help_text="What uses it; the audit trail shows this name.")
    scopes = serializers.ListField(
        child=serializers.CharField(max_length=50), max_length=100, help_text="See `auth/scopes/`."
    )
    expires_at = MomentField(required=False, allow_null=True, default=None, help_text="null: never.")
    networks = serializers.ListField(
        child=serializers.CharField(max_length=50),
        max_length=50,
        default=list,
        help_text="Addresses it is taken from, such as 10.0.0.0/8; empty: from anywhere.",
    )
    owner = serializers.CharField(
        max_length=150,
        required=False,
        help_text="Username of a service account; only for those who manage the keys of others.",
    )


class ReplaceSerializer(StrictSerializer):
    overlap_seconds = serializers.IntegerField(
        min_value=0,
        max_value=_LONGEST_OVERLAP,
        default=int(keys.OVERLAP.total_seconds()),
        help_text="How long the old key is still taken.",
    )


class ScopeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    permissions = serializers.ListField(child=serializers.CharField())
    is_available = serializers.BooleanField(help_text="You may give it to a key of your own.")


class KeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[ApiKey]):
    queryset = ApiKey.objects.select_related("owner")
    serializer_class = KeySerializer
    permission_of = {
        "list": "accounts.view_apikey",
        "retrieve": "accounts.view_apikey",
        "create": "accounts.add_apikey",
        "replace": "accounts.add_apikey",
        "revoke": "accounts.add_apikey",
    }

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, ApiKey):
            raise PermissionDenied("A key cannot be used to manage keys: sign in.")

    def get_queryset(self) -> QuerySet[ApiKey]:
        found = super().get_queryset()
        if self.request.user.has_perm(keys.MANAGE):
            return found
        return found.filter(owner_id=self.request.user.pk)

    @extend_schema(operation_id="keys_list")
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your API keys, the newest first; everybody's, if you may manage them."""
        return super().list(request, *args, **kwargs)

    @extend_schema(operation_id="keys_retrieve")
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One API key, without its secret: that is kept nowhere."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(operation_id="keys_create", request=KeyInputSerializer, responses={201: NewKeySerializer})
    def create(self, request: Request) -> Response:
        """Make an API key. It may never do more than its owner may at the time."""
        body, by = read_body(KeyInputSerializer, request), person(request)
        new = keys.make(
            name=body["name"],
            owner=_owner(body.get("owner"), by),
            wanted=body["scopes"],
            by=by,
            expires_at=body["expires_at"],
            networks=body["networks"],
        )
        return Response(NewKeySerializer(new).data, status=status.HTTP_201_CREATED)

    @extend_schema(operation_id="keys_replace", request=ReplaceSerializer, responses={201: NewKeySerializer})
    def replace(self, request: Request, pk: int) -> Response:
        """Make a new key like this one; both are taken for a while."""
        overlap = timedelta(seconds=read_body(ReplaceSerializer, request)["overlap_seconds"])
        new = keys.replace(self.get_object(), by=person(request), overlap=overlap)
        return Response(NewKeySerializer(new).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="keys_revoke",
        request=None,
        responses={200: OpenApiResponse(KeySerializer, description="It is not taken any more.")},
    )
    def revoke(self, request: Request, pk: int) -> Response:
        """End a key at once."""
        key = self.get_object()
        keys.revoke(key, by=person(request))
        return Response(KeySerializer(key).data)


class ScopesView(ViewSet):
    permission_of = {"list": "accounts.view_apikey"}

    @extend_schema(operation_id="scopes_list", responses=ScopeSerializer(many=True))
    def list(self, request: Request) -> Response:
        """What an API key can be limited to."""
        mine = set(keys.scopes_for(person(request)))
        found = [
            {"name": name, "permissions": sorted(behind), "is_available": name in mine}
            for name, behind in sorted(scopes().items())
        ]
        return Response(ScopeSerializer(found, many=True).data)


def _owner(name: str | None, by: User) -> User:
    """The account that the key is for. Whether it may be is said before whether it exists."""
    if name is None or name == by.get_username():
        return by
    if not by.has_perm(keys.MANAGE):
        raise InvalidInput({"owner": ["You can make keys for yourself only."]})
    found = User.objects.filter(username=name).first()
    if found is None:
        raise InvalidInput({"owner": ["There is no such account."]})
    return found
