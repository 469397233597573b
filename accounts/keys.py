"""API keys: making, checking, replacing and revoking them. Each change leaves an audit row."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.errors import InvalidKey, KeyRefused
from accounts.models import ApiKey
from accounts.permissions import names_of, user_with_permissions
from accounts.role_groups import scopes
from jobs import audit

MANAGE = "accounts.manage_apikey"
#: How precisely the last use is known: a key that is used a thousand times a second is written once a minute.
USE_NOTED_EVERY = timedelta(minutes=1)
#: How long a key that was replaced is still taken, so that its users can change over.
OVERLAP = timedelta(days=1)
LONGEST_OVERLAP = timedelta(days=30)

_START = "alm"
_PREFIX_BYTES = 4
_SECRET_BYTES = 32


@dataclass(frozen=True)
class NewKey:
    """A key that was just made. Its secret is known here and now, and never again."""

    row: ApiKey
    secret: str


def make(
    *,
    name: str,
    owner: User,
    wanted: Sequence[str],
    by: User,
    expires_at: datetime | None = None,
    networks: Sequence[str] = (),
) -> NewKey:
    """Make a key for oneself, or with the permission to manage keys for somebody else; raises KeyRefused.

    Nobody gives a key more than its owner may do, nor more than they may do themselves.
    """
    if owner.pk != by.pk and not by.has_perm(MANAGE):
        raise KeyRefused({"owner": ["You can make keys for yourself only."]})
    fields: dict[str, list[str]] = {}
    if not name.strip():
        fields["name"] = ["A key needs a name: say what uses it."]
    if problem := _problem_of_scopes(wanted, {owner, by}):
        fields["scopes"] = [problem]
    if expires_at is not None and expires_at <= timezone.now():
        fields["expires_at"] = ["This moment has passed."]
    if wrong := [text for text in networks if not _is_network(text)]:
        fields["networks"] = [f"{text!r} is no address and no network, such as 10.0.0.0/8." for text in wrong]
    if fields:
        raise KeyRefused(fields)
    with transaction.atomic():
        new = _save(ApiKey(
            name=name.strip(), owner=owner, scopes=sorted(set(wanted)), networks=list(networks),
            expires_at=expires_at, created_by=by,
        ))  # fmt: skip
        text = f"Made for {owner.get_username()}: {', '.join(new.row.scopes)}."
        audit.record(by, new.row, text, action=audit.ADDITION)
    return new


def replace(key: ApiKey, *, by: User, overlap: timedelta = OVERLAP) -> NewKey:
    """Make a key like this one, which is taken for `overlap` longer; raises KeyRefused when it is not in use any more."""
    check_may_change(key, by)
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise KeyRefused({"overlap": [f"Use at most {LONGEST_OVERLAP.days} days."]})
    if problem := _problem_of_scopes(key.scopes, {key.owner, by}):
        raise KeyRefused({"scopes": [problem]})
    now = timezone.now()
    with transaction.atomic():
        row = ApiKey.objects.select_for_update().get(pk=key.pk)
        if row.replaced_by_id is not None or row.state(now) != "active":
            raise KeyRefused({"key": ["Only a key that is in use and was not replaced can be replaced."]})
        # The new one lives as long as the old one was meant to.
        lifetime = row.expires_at - row.created_at if row.expires_at else None
        new = _save(ApiKey(
            name=row.name, owner=row.owner, scopes=row.scopes, networks=row.networks, created_by=by,
            expires_at=now + lifetime if lifetime else None,
        ))  # fmt: skip
        end = now + overlap
        row.replaced_by, row.expires_at = new.row, min(row.expires_at or end, end)
        row.save(update_fields=["replaced_by", "expires_at"])
        audit.record(by, new.row, f"Replaces {row}, which ends at {row.expires_at:%Y-%m-%d %H:%M} UTC.",
                     action=audit.ADDITION)  # fmt: skip
    return new


def revoke(key: ApiKey, *, by: User) -> None:
    """End a key at once. Revoking twice is the same as revoking once."""
    check_may_change(key, by)
    now = timezone.now()
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            key.revoked_at = now
            audit.record(by, key, "Revoked.")


def check_may_change(key: ApiKey, by: User) -> None:
    """Raise KeyRefused unless the key is one's own, or one manages the keys of all."""
    if key.owner_id != by.pk and not by.has_perm(MANAGE):
        raise KeyRefused({"key": ["This is somebody else's key."]})


def holder(secret: str, *, address: str) -> tuple[User, ApiKey]:
    """Whose key this is, with no more permissions than the key has; raises InvalidKey.

    A program that holds a superuser's key is no superuser: it may do what the scopes say.
    """
    key = _find(secret)
    if key.networks and not _is_within(address, key.networks):
        raise InvalidKey(f"The API key is not taken from {address}.")
    user = user_with_permissions(key.owner_id)
    if user is None or not user.is_active:
        raise InvalidKey("The owner of the API key is not active.")
    allowed = permissions_of(key.scopes)
    user.permission_names = sorted(allowed if user.is_superuser else allowed & names_of(user))  # type: ignore[attr-defined]  # read by `names_of`
    user.is_superuser = user.is_staff = False
    _note_use(key, address)
    return user, key


def permissions_of(wanted: Iterable[str]) -> frozenset[str]:
    """The permissions behind some scopes; scopes that an app does not know any more have none."""
    known = scopes()
    return frozenset().union(*(known.get(scope, frozenset()) for scope in wanted))


def scopes_for(user: User) -> list[str]:
    """The scopes that a user may give to a key: those whose every permission the user has."""
    return [name for name, behind in sorted(scopes().items()) if user.has_perms(behind)]


def _problem_of_scopes(wanted: Sequence[str], people: set[User]) -> str:
    known = scopes()
    if not wanted:
        return "Choose at least one."
    if unknown := sorted(set(wanted) - set(known)):
        return f"There is no scope {', '.join(unknown)}. The scopes are: {', '.join(sorted(known))}."
    for person in sorted(people, key=lambda user: user.pk):
        if beyond := [scope for scope in sorted(set(wanted)) if not person.has_perms(known[scope])]:
            return f"{person.get_username()} may not do all of {', '.join(beyond)}."
    return ""


def _save(row: ApiKey) -> NewKey:
    row.prefix = secrets.token_hex(_PREFIX_BYTES)
    secret = f"{_START}_{row.prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    row.secret_hash = _hash(secret)
    row.save(force_insert=True)
    return NewKey(row, secret)


def _find(secret: str) -> ApiKey:
    parts = secret.split("_", 2)
    is_readable = len(parts) == 3 and secret.isascii() and secret.isprintable()
    key = ApiKey.objects.filter(prefix=parts[1]).first() if is_readable else None
    if key is None or not hmac.compare_digest(key.secret_hash, _hash(secret)):
        raise InvalidKey
    state = key.state(timezone.now())
    if state != "active":
        raise InvalidKey(f"The API key is {state}.")
    return key


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_network(text: str) -> bool:
    try:
        return "%" not in str(
            ip_network(text, strict=False)
        )  # a zone is of one machine, and as long as one likes
    except ValueError:
        return False


def _is_within(address: str, networks: Iterable[str]) -> bool:
    try:
        came_from = ip_address(address)
    except ValueError:
        return False
    came_from = getattr(came_from, "ipv4_mapped", None) or came_from  # by a socket that takes both kinds
    return any(came_from in ip_network(network, strict=False) for network in networks)


def _note_use(key: ApiKey, address: str) -> None:
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at <= now - USE_NOTED_EVERY:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - USE_NOTED_EVERY)
        ApiKey.objects.filter(unnoted, pk=key.pk).update(last_used_at=now, last_used_from=address[:64])
