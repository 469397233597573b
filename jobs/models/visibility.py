"""Who may see which schedules and runs: those of no group, and those of one's own groups."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q

#: Sees and controls the schedules and runs of every group, as superusers do.
SEES_ALL = "jobs.see_all_groups"


@dataclass(frozen=True)
class Visibility:
    """The groups whose schedules and runs somebody sees, beside those that belong to no group."""

    groups: frozenset[int] = frozenset()
    sees_all: bool = False

    def includes(self, owner_group_id: int | None) -> bool:
        """Whether one row with that owner group is seen. Costs no query."""
        return self.sees_all or owner_group_id is None or owner_group_id in self.groups

    def condition(self, field: str) -> Q:
        """The same for a query; `field` leads to the owner group, such as "owner_group"."""
        if self.sees_all:
            return Q()
        unowned = Q(**{f"{field}__isnull": True})
        return unowned | Q(**{f"{field}__in": sorted(self.groups)}) if self.groups else unowned

    @property
    def group_ids(self) -> list[int] | None:
        """The groups as a parameter of a SQL statement; None for everything."""
        return None if self.sees_all else sorted(self.groups)


#: For whoever asks without a user: the control plane itself, and commands.
EVERYTHING = Visibility(sees_all=True)


def visibility_of(user: Any) -> Visibility:
    """What a user sees: one query at most, remembered on the user object (`permissions` of a request are, too)."""
    known = getattr(user, "jobs_visibility", None)
    if isinstance(known, Visibility):
        return known
    found = _ask(user)
    user.jobs_visibility = found
    return found


def _ask(user: User | AnonymousUser) -> Visibility:
    if isinstance(user, AnonymousUser) or not user.is_active:
        return Visibility()
    if user.has_perm(SEES_ALL):
        return Visibility(sees_all=True)
    # `accounts` reads the groups with the user and the permissions, in one query.
    groups = getattr(user, "group_ids", None)
    if groups is None:
        groups = user.groups.values_list("pk", flat=True)
    return Visibility(frozenset(groups))
