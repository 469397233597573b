from typing import Any

from django.contrib.auth.models import User
from rest_framework import serializers

from accounts.tokens import Tokens


class CredentialsSerializer(serializers.Serializer[Any]):
    """A password, and who it is for: one of `username` and `email`."""

    username = serializers.CharField(
        max_length=254, required=False, help_text="Username; an email address will do too."
    )
    email = serializers.CharField(max_length=254, required=False)
    password = serializers.CharField(
        max_length=1000, trim_whitespace=False, write_only=True, style={"input_type": "password"}
    )

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        if ("username" in attrs) == ("email" in attrs):
            raise serializers.ValidationError({"username": ["Give either a username or an email address."]})
        return attrs


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField(max_length=4000)


class TokensSerializer(serializers.Serializer[Tokens]):
    access = serializers.CharField(help_text="For the header `Authorization: Bearer …`; short-lived.")
    refresh = serializers.CharField(help_text="Gets the next access token at `auth/refresh/`.")


class AccountSerializer(serializers.ModelSerializer[User]):
    permissions = serializers.SerializerMethodField(help_text="Everything this account may do.")

    class Meta:
        model = User
        fields = [
            "id",
            "username",
            "email",
            "first_name",
            "last_name",
            "is_staff",
            "is_superuser",
            "permissions",
        ]
        read_only_fields = fields

    def get_permissions(self, user: User) -> list[str]:
        return sorted(user.get_all_permissions())
