"""What somebody wants to hear about, and what they may: every kind of event has its permission."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jobs.errors import InvalidInput
from jobs.live.log import Cursor
from jobs.models import Visibility, visibility_of

#: Each kind with the permission to see it. `system` are the figures of queues, workers and schedulers, every few seconds.
PERMISSIONS = {
    "run": "jobs.view_jobrun",
    "log": "jobs.view_jobrun",
    "alert": "jobs.view_alert",
    "worker": "jobs.view_system",
    "schedule": "jobs.view_schedule",
    "system": "jobs.view_system",
}
_PARAMETERS = ("kinds", "run", "last_event_id")


@dataclass(frozen=True)
class Wish:
    """Events of these kinds; with a run, of runs and log lines only that one's. Never what belongs to other groups."""

    kinds: frozenset[str]
    run: str | None = None
    seen: Visibility = field(default_factory=Visibility)

    def includes(self, kind: str, run: str | None, owner_group: int | None = None) -> bool:
        """Whether an event of the kind is wanted, about that run and of that group if about one."""
        is_wanted = kind in self.kinds and (self.run is None or run is None or run == self.run)
        return is_wanted and self.seen.includes(owner_group)


def wish_of(query: Mapping[str, Any], user: Any) -> Wish:
    """What the query asks for, or everything that the user may see; raises InvalidInput.

    Log lines come only to those who name a run or ask for them. The kinds that the user may not see are left out:
    none at all may be left.
    """
    unknown = {name: ["There is no such parameter."] for name in query if name not in _PARAMETERS}
    if unknown:
        raise InvalidInput(unknown)
    run = _run(query.get("run", ""))
    kinds = _kinds(query.get("kinds", "")) or (
        {"run", "log"} if run else {kind for kind in PERMISSIONS if kind != "log"}
    )
    allowed = frozenset(kind for kind in kinds if user.has_perm(PERMISSIONS[kind]))
    return Wish(allowed, run, visibility_of(user))


def cursor_of(query: Mapping[str, Any], header: str) -> Cursor | None:
    """Where to go on: `Last-Event-ID`, or `last_event_id` of the query. Raises InvalidInput."""
    text = header or query.get("last_event_id", "")
    return Cursor.parse(text) if text else None


def _kinds(text: str) -> set[str]:
    kinds = {kind.strip() for kind in text.split(",") if kind.strip()}
    if unknown := kinds - set(PERMISSIONS):
        known = ", ".join(PERMISSIONS)
        raise InvalidInput({"kinds": [f"There is no kind {', '.join(sorted(unknown))}: choose of {known}."]})
    return kinds


def _run(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput({"run": ["This is no id of a run."]}) from None
