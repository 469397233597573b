"""From rows of the event log to what people receive: one message an event, made once for everybody."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from jobs import history
from jobs.definitions import find_job
from jobs.live.log import Event
from jobs.live.wishes import Wish
from jobs.models import JobRun, RunLog, Schedule

#: Typical durations of a job are looked up again after so many seconds.
_TYPICAL_FOR = 60.0
_ABOUT_RUNS = ("run", "log")
_LEVELS = {level.value: level.label for level in RunLog.Level}


@dataclass(frozen=True)
class Message:
    """One server-sent event, ready to be written."""

    kind: str
    #: The run that it is about, if about one.
    run: str | None
    #: The group whose members alone may see it, if there is one.
    owner_group: int | None
    text: bytes

    def is_for(self, wish: Wish) -> bool:
        return wish.includes(self.kind, self.run, self.owner_group)


def message(
    kind: str, data: dict[str, Any], *, run: str | None = None, owner_group: int | None = None
) -> Message:
    """A message of that kind with the data as JSON, which has no line breaks."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Message(kind, run, owner_group, f"event: {kind}\ndata: {body}\n\n".encode())


class Teller:
    """Turns events into messages, and looks up what they only point to. Belongs to one thread."""

    def __init__(self) -> None:
        self._typical: dict[str, tuple[float, history.Durations | None]] = {}

    def tell(self, events: Sequence[Event], wishes: Iterable[Wish]) -> list[Message]:
        """The messages that at least one of the wishes may include, in order."""
        wanted = set(wishes)
        kinds = frozenset().union(*(wish.kinds for wish in wanted))
        watched = None if any(wish.run is None for wish in wanted) else {wish.run for wish in wanted}
        chosen = [
            event
            for event in events
            if event.kind in kinds
            and (watched is None or event.kind not in _ABOUT_RUNS or event.subject in watched)
        ]
        found = _look_up(chosen)
        self._look_up_durations({event.data["job"] for event in chosen if event.kind == "run"})
        return [one for event in chosen for one in self._messages(event, found)]

    def _messages(self, event: Event, found: "_Found") -> list[Message]:
        head = {"id": event.subject, "at": event.at.isoformat()}
        match event.kind:
            case "run":
                data = head | event.data | self._beside(event, found.now)
                group = data.pop("owner_group_id")
                return [message("run", data, run=event.subject, owner_group=group)]
            case "log":
                lines = [found.lines[number] for number in event.data["lines"] if number in found.lines]
                data = {"run": event.subject, "at": head["at"], "lines": [_line(line) for line in lines]}
                group = found.groups.get(event.subject)
                return [message("log", data, run=event.subject, owner_group=group)] if lines else []
            case "worker":
                return [message("worker", {"name": event.subject, "at": head["at"]} | event.data)]
            case "schedule":
                return [_schedule(number, found.schedules.get(number)) for number in event.data["ids"]]
            case kind:
                data = head | {"id": int(event.subject)} | event.data
                group = data.pop("owner_group_id", None)
                return [message(kind, data, owner_group=group)]

    def _beside(self, event: Event, now: datetime) -> dict[str, Any]:
        """What the row of a run does not say: the job's title, and how long it will still take."""
        data = event.data
        job = find_job(data["job"])
        beside: dict[str, Any] = {"title": job.title if job else data["job"]}
        if data["status"] == JobRun.Status.RUNNING and data["started_at"]:
            run = JobRun(
                job=data["job"],
                status=data["status"],
                progress=data["progress"],
                started_at=datetime.fromisoformat(data["started_at"]),
            )
            eta = history.eta(run, now, self._typical[data["job"]][1])
            beside["eta_seconds"] = round(eta.seconds, 1) if eta else None
            beside["eta_p90_seconds"] = round(eta.p90_seconds, 1) if eta and eta.p90_seconds else None
        return beside

    def _look_up_durations(self, jobs: set[str]) -> None:
        now = time.monotonic()
        due = {job for job in jobs if job not in self._typical or self._typical[job][0] < now}
        if due:
            found = history.durations_by_job(due)
            self._typical |= {job: (now + _TYPICAL_FOR, found.get(job)) for job in due}


@dataclass(frozen=True)
class _Found:
    """What events only point to."""

    now: datetime
    lines: dict[int, RunLog]
    #: The owner group of each run that lines belong to.
    groups: dict[str, int | None]
    schedules: dict[int, Schedule]


def _look_up(events: Sequence[Event]) -> _Found:
    logs = [event for event in events if event.kind == "log"]
    lines = [number for event in logs for number in event.data["lines"]]
    schedules = {number for event in events if event.kind == "schedule" for number in event.data["ids"]}
    owners = JobRun.objects.filter(pk__in={event.subject for event in logs}).values_list("pk", "owner_group")
    return _Found(
        now=timezone.now(),
        lines=RunLog.objects.in_bulk(lines) if lines else {},
        groups={str(pk): group for pk, group in owners} if lines else {},
        schedules=Schedule.objects.select_related("policy").in_bulk(schedules) if schedules else {},
    )


def _line(line: RunLog) -> dict[str, Any]:
    return {
        "id": line.pk,
        "at": line.at.isoformat(),
        "level": _LEVELS.get(line.level, str(line.level)),
        "message": line.message,
    }


def _schedule(number: int, schedule: Schedule | None) -> Message:
    if schedule is None:
        return message("schedule", {"id": number, "is_deleted": True})
    policy = schedule.policy
    data = {
        "id": number,
        "name": schedule.name,
        "job": schedule.task,
        "enabled": schedule.enabled,
        "is_paused": policy.is_paused(timezone.now()),
        "next_slot_at": policy.next_slot_at.isoformat() if policy.next_slot_at else None,
    }
    return message("schedule", data, owner_group=policy.owner_group_id)
