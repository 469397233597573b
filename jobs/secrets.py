"""Secrets at rest: a model field that encrypts, and opens only where somebody asks for it by name.

    secrets = SealedField()

    channel.secrets = Sealed.of({"key": "whsec_…"})   # encrypted at once
    channel.secrets.open()["key"]                     # the only way back
    str(channel.secrets)                              # "(encrypted)", in logs and tracebacks too

The keys are `SECRETS_KEYS`: the first encrypts, all decrypt. To change the key put a new one in front, run
`manage.py rotate_secrets`, and take the old one away.
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

from jobs.errors import JobsError


class SecretUnreadable(JobsError):
    """No key in SECRETS_KEYS opens this secret: bring back the key that sealed it, or enter the secret again."""


class Sealed:
    """Some named secrets, encrypted. Two seals are equal when they are the same ciphertext."""

    __slots__ = ("token",)

    def __init__(self, token: str = "") -> None:
        self.token = token

    @classmethod
    def of(cls, secrets: Mapping[str, str]) -> "Sealed":
        """Seal some secrets; nothing at all is sealed as the empty text. Raises ImproperlyConfigured without a key."""
        if not secrets:
            return cls()
        return cls(_keys().encrypt(json.dumps(dict(secrets)).encode()).decode())

    def open(self) -> dict[str, str]:
        """The secrets by name; raises SecretUnreadable."""
        if not self.token:
            return {}
        try:
            opened: dict[str, str] = json.loads(_keys().decrypt(self.token.encode()))
        except InvalidToken as error:
            raise SecretUnreadable from error
        return opened

    def resealed(self) -> "Sealed":
        """The same under the first key; raises SecretUnreadable."""
        return Sealed.of(self.open())

    def __bool__(self) -> bool:
        return bool(self.token)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)

    def __repr__(self) -> str:
        return "(encrypted)" if self.token else "(none)"


if TYPE_CHECKING:
    Text = models.TextField[Sealed, Sealed]
else:
    Text = models.TextField


class SealedField(Text):
    """A column of ciphertext. Never in forms or serializers; not to be searched."""

    def __init__(self, **options: Any) -> None:
        options |= {"blank": True, "default": Sealed, "editable": False}
        super().__init__(**options)

    def deconstruct(self) -> Any:
        name, path, arguments, options = super().deconstruct()
        for ours in ("blank", "default", "editable"):
            options.pop(ours, None)
        return name, path, arguments, options

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Sealed:
        return Sealed(value or "")

    def to_python(self, value: Any) -> Sealed:
        return value if isinstance(value, Sealed) else Sealed(value or "")

    def get_prep_value(self, value: Any) -> str:
        if not isinstance(value, Sealed):
            raise TypeError("Only what is sealed is stored: use Sealed.of({...}).")
        return value.token

    def value_to_string(self, obj: models.Model) -> str:
        sealed: Sealed = self.value_from_object(obj)
        return sealed.token


def new_key() -> str:
    """A key for `SECRETS_KEYS`."""
    return Fernet.generate_key().decode()


def key_problem() -> str | None:
    """Why nothing can be sealed now, as a sentence; None when all is well."""
    try:
        _keys()
    except ImproperlyConfigured as error:
        return str(error)
    return None


def rotate() -> Iterator[tuple[models.Model, bool]]:
    """Seal every secret of every model anew with the first key; gives each row, and whether it could be opened."""
    for model in apps.get_models():
        names = [field.name for field in model._meta.concrete_fields if isinstance(field, SealedField)]
        if not names:
            continue
        for row in model._default_manager.iterator():
            try:
                fresh = {name: getattr(row, name).resealed() for name in names}
            except SecretUnreadable:
                yield row, False
                continue
            old = {name: getattr(row, name) for name in names}
            # Only if nobody has entered another one meanwhile.
            model._default_manager.filter(pk=row.pk, **old).update(**fresh)
            yield row, True


def _keys() -> MultiFernet:
    return _read_keys(tuple(settings.SECRETS_KEYS))


@lru_cache(maxsize=4)
def _read_keys(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured("SECRETS_KEYS is empty: passwords and keys of channels cannot be stored.")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(
            "SECRETS_KEYS has an entry that is no key: each is 32 random bytes in URL-safe base64."
        ) from error
