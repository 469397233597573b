"""What people do with maintenance windows. `jobs.windows` keeps them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from jobs import audit
from jobs.definitions import is_known
from jobs.errors import InvalidWindow
from jobs.models import Calendar, MaintenanceWindow, Schedule
from jobs.timing import Crontab, InvalidTiming, zone_of

_MOST_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, kw_only=True)
class WindowWish:
    """Everything a person decides about a window: once from a start to an end, or by cron for some minutes."""

    name: str
    note: str = ""
    enabled: bool = True
    mode: str = MaintenanceWindow.Mode.HOLD
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    cron: str = ""
    timezone: str = "UTC"
    duration_minutes: int | None = None
    covers_all: bool = False
    jobs: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    #: Ids.
    schedules: tuple[int, ...] = ()


def wish_of(window: MaintenanceWindow) -> WindowWish:
    """What a person would have said to get the window as it is."""
    return WindowWish(
        name=window.name,
        note=window.note,
        enabled=window.enabled,
        mode=window.mode,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        cron=window.cron,
        timezone=window.timezone,
        duration_minutes=window.duration_minutes,
        covers_all=window.covers_all,
        jobs=tuple(window.jobs),
        queues=tuple(window.queues),
        schedules=tuple(sorted(schedule.pk for schedule in window.schedules.all())),
    )


def save(
    window: MaintenanceWindow | None, wish: WindowWish, *, by: AbstractBaseUser | None
) -> MaintenanceWindow:
    """Make a window, or change one. Slots that it holds already are decided about anew when their wait is over.

    Raises InvalidWindow.
    """
    fields = problems(wish, pk=window.pk if window else 0, by=by)
    if fields:
        raise InvalidWindow(fields)
    with transaction.atomic():
        action = audit.CHANGE if window else audit.ADDITION
        row = window or MaintenanceWindow()
        for name in vars(wish).keys() - {"schedules", "jobs", "queues"}:
            setattr(row, name, getattr(wish, name))
        row.jobs, row.queues = list(wish.jobs), list(wish.queues)
        row.save()
        row.schedules.set([*wish.schedules, *hidden_schedules(row, by)])
        audit.record(by, row, f"Maintenance window {wish.name}: {in_words(wish)}.", action=action)
    return row


def remove(window: MaintenanceWindow, *, by: AbstractBaseUser | None) -> None:
    """Delete a window; slots that it holds run when they would have."""
    with transaction.atomic():
        audit.record(by, window, f"Deleted maintenance window {window.name}.", action=audit.DELETION)
        window.delete()


def in_words(wish: WindowWish) -> str:
    """When it is, and what it does."""
    if wish.cron:
        when = f"{wish.cron} ({wish.timezone}) for {wish.duration_minutes} min"
    else:
        when = f"{wish.starts_at:%Y-%m-%d %H:%M %Z} to {wish.ends_at:%Y-%m-%d %H:%M %Z}"
    return f"{when}, {MaintenanceWindow.Mode(wish.mode).label.lower()}"


def hidden_schedules(row: MaintenanceWindow | Calendar, user: Any) -> set[int]:
    """Ids of the schedules of a window or calendar that a user does not see: saving keeps them. Nobody sees all."""
    if user is None:
        return set()
    # Not by `row.schedules`: that may hold only what the user sees.
    chosen = set(
        type(row).objects.filter(pk=row.pk, schedules__isnull=False).values_list("schedules", flat=True)
    )
    return chosen - set(Schedule.objects.visible_to(user).filter(pk__in=chosen).values_list("pk", flat=True))


def problems(wish: WindowWish, *, pk: int = 0, by: Any = None) -> dict[str, list[str]]:
    """What is wrong with a window, by field; empty when nothing is. To `by` what they do not see does not exist."""
    fields = _problems_of_time(wish)
    if not wish.name.strip():
        fields["name"] = ["A window needs a name."]
    elif MaintenanceWindow.objects.filter(name=wish.name).exclude(pk=pk).exists():
        fields["name"] = ["There is a window of this name already."]
    if wish.mode not in MaintenanceWindow.Mode.values:
        fields["mode"] = [f"Use one of {', '.join(MaintenanceWindow.Mode.values)}."]
    if not (wish.covers_all or wish.jobs or wish.queues or wish.schedules):
        fields["covers_all"] = ["Say what it covers: everything, or some jobs, queues or schedules."]
    if unknown := [name for name in wish.jobs if not is_known(name)]:
        fields["jobs"] = [f"There is no job named {', '.join(unknown)}."]
    if unknown := [name for name in wish.queues if name not in settings.JOBS_QUEUES]:
        fields["queues"] = [f"There is no queue named {', '.join(unknown)}."]
    seen = Schedule.objects.all() if by is None else Schedule.objects.visible_to(by)
    known = set(seen.filter(pk__in=wish.schedules).values_list("pk", flat=True))
    if missing := [str(pk) for pk in wish.schedules if pk not in known]:
        fields["schedules"] = [f"There is no schedule {', '.join(missing)}."]
    return fields


def _problems_of_time(wish: WindowWish) -> dict[str, list[str]]:
    if not wish.cron:
        if wish.starts_at is None or wish.ends_at is None:
            return {"starts_at": ["Give a start and an end, or a cron expression and how long it lasts."]}
        return {} if wish.starts_at < wish.ends_at else {"ends_at": ["The end must come after the start."]}
    fields: dict[str, list[str]] = {}
    if wish.starts_at is not None or wish.ends_at is not None:
        fields["starts_at"] = ["With a cron expression there is no start and no end."]
    if wish.duration_minutes is None or not 1 <= wish.duration_minutes <= _MOST_MINUTES:
        fields["duration_minutes"] = ["Say how long it lasts: 1 minute to 7 days."]
    try:
        zone_of(wish.timezone)
    except InvalidTiming as error:
        fields["timezone"] = [error.reason]
    else:
        try:
            Crontab.of(wish.cron, wish.timezone)
        except InvalidTiming as error:
            fields["cron"] = [f"{error.field}: {error.reason}"]
    return fields
