"""The groups viewer, operator, editor and admin: made, and kept up to date, whenever migrations have run.

Each app declares in its `roles` module which of its permissions a role has. A declared permission is given to a group
once: what operators take away from the group stays away, what they add stays. A permission that is not declared any
more is taken from the groups that had it by declaration.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed

#: From the least to the most; each may also do what those before it may.
ROLES = ("viewer", "operator", "editor", "admin")

Grant = tuple[str, str]


def permissions_of(role: str) -> set[str]:
    """Every permission a role has by declaration, as `jobs.run_job`."""
    return {
        permission
        for config in installed.get_app_configs()
        for name, permission in _grants(config)
        if name == role
    }


@lru_cache(maxsize=1)
def scopes() -> dict[str, frozenset[str]]:
    """Every scope of API keys with the permissions behind it."""
    return {
        name: frozenset(_full(config.label, permission) for permission in permissions)
        for config in installed.get_app_configs()
        for name, permissions in _declared(config, "SCOPES").items()
    }


def install(sender: AppConfig, apps: Any = installed, **kwargs: Any) -> None:
    """Bring the groups up to what one app declares: called after migrations, when its permissions are there."""
    wanted = set(_grants(sender))
    if not wanted:
        return
    try:
        grant_model = apps.get_model("accounts", "RoleGrant")
    except LookupError:  # only older migrations have run
        return
    groups = {role: apps.get_model("auth", "Group").objects.get_or_create(name=role)[0] for role in ROLES}
    given = grant_model.objects.filter(group__in=groups.values())
    before = {
        (grant.group.name, _name(grant.permission)): grant
        for grant in given.select_related("group", "permission__content_type")
    }
    permissions = _permissions({permission for _, permission in wanted}, apps)
    for role, permission in sorted(wanted - set(before)):
        if permission in permissions:
            groups[role].permissions.add(permissions[permission])
            grant_model.objects.create(group=groups[role], permission=permissions[permission])
    for pair in set(before) - _all_grants():
        before[pair].group.permissions.remove(before[pair].permission)
        before[pair].delete()


def _permissions(names: Iterable[str], apps: Any) -> dict[str, Any]:
    labels = {name.partition(".")[0] for name in names}
    found = apps.get_model("auth", "Permission").objects.filter(content_type__app_label__in=labels)
    return {_name(permission): permission for permission in found.select_related("content_type")}


def _name(permission: Any) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _all_grants() -> set[Grant]:
    return {grant for config in installed.get_app_configs() for grant in _grants(config)}


def _grants(config: AppConfig) -> list[Grant]:
    """(role, permission) for each that an app declares, and for the roles above."""
    return [
        (role, _full(config.label, permission))
        for lowest, permissions in _declared(config, "ROLES").items()
        for role in ROLES[ROLES.index(lowest) :]
        for permission in permissions
    ]


def _declared(config: AppConfig, what: str) -> Mapping[str, tuple[str, ...]]:
    name = f"{config.name}.roles"
    if find_spec(name) is None:
        return {}
    return getattr(import_module(name), what, {})


def _full(label: str, permission: str) -> str:
    return permission if "." in permission else f"{label}.{permission}"
