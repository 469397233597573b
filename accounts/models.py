"""What guards the door: attempts to sign in, keys for programs, and what the roles were given."""

from datetime import datetime

from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.postgres.fields import ArrayField
from django.db import models


class SignInCount(models.Model):
    """How many attempts one key (an address, a name, or both) made in its present window."""

    key = models.CharField(max_length=400, primary_key=True)
    attempts = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name = "count of sign-in attempts"
        verbose_name_plural = "counts of sign-in attempts"
        default_permissions = ()

    def __str__(self) -> str:
        return self.key


class ApiKey(models.Model):
    """A secret that a program sends instead of a person's password: `Authorization: Api-Key <key>`.

    Only a hash is kept. The secret has 256 random bits, so one round of SHA-256 is enough: there is nothing to guess.
    """

    name = models.CharField(max_length=100, help_text="What uses it; the audit trail shows this name.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    prefix = models.CharField(
        max_length=8, unique=True, editable=False, help_text="The start of the key, to recognise it."
    )
    secret_hash = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=50),
        help_text="What it may do, as far as its owner may do it at the time.",
    )
    networks = ArrayField(
        models.CharField(max_length=50),
        default=list,
        blank=True,
        help_text="Addresses it is taken from, such as 10.0.0.0/8; empty: from anywhere.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Not taken from then on.")
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")
    last_used_from = models.CharField(max_length=64, blank=True, editable=False)
    replaced_by = models.OneToOneField(
        "self", on_delete=models.SET_NULL, null=True, editable=False, related_name="replaces"
    )

    class Meta:
        verbose_name = "API key"
        ordering = ["-pk"]
        default_permissions = ("add", "view")
        permissions = [("manage_apikey", "Can see, make and revoke the API keys of others")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def throttle_name(self) -> str:
        """Whose requests are counted together: each key has a rate of its own."""
        return f"key:{self.pk}"

    def state(self, now: datetime) -> str:
        """One of active, revoked, expired."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class RoleGrant(models.Model):
    """A permission that a role's group was once given because an app declares it.

    Given once: what an operator takes away from the group stays away, and what they add stays.
    """

    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+")
    permission = models.ForeignKey(Permission, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name = "grant of a role"
        verbose_name_plural = "grants of roles"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["group", "permission"], name="accounts_one_grant_per_role")
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.permission}"
