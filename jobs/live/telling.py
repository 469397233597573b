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
_LEVELS = {level.value: level.label for level in RunLog.Level}


@dataclass(frozen=True)
class Message:
    """One server-sent event, ready to be written."""

    kind: str
    #: The run that it is about, if about one.
    run: str | None
    text: bytes


def message(kind: str, data: dict[str, Any], *, run: str | None = None) -> Message:
    """A message of that kind with the data as JSON, which has no line breaks."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Message(kind, run, f"event: {kind}\ndata: {body}\n\n".encode())


class Teller:
    """Turns events into messages, and looks up what they only point to. Belongs to one thread."""

    def __init__(self) -> None:
        self._typical: dict[str, tuple[float, history.Durations | None]] = {}

    def tell(self, events: Sequence[Event], wishes: Iterable[Wish]) -> list[Message]:
        """The messages that at least one of the wishes includes, in order."""
        wanted = set(wishes)
        chosen = [
            (event, run)
            for event in events
            for run in [event.subject if event.kind in ("run", "log") else None]
            if any(wish.includes(event.kind, run) for wish in wanted)
        ]
        lines = _lines(event for event, _ in chosen if event.kind == "log")
        schedules = _schedules(event for event, _ in chosen if event.kind == "schedule")
        self._look_up_durations({event.data["job"] for event, _ in chosen if event.kind == "run"})
        now = timezone.now()
        return [
            message(event.kind, data, run=run)
            for event, run in chosen
            for data in self._data(event, now, lines, schedules)
        ]

    def _data(
        self,
        event: Event,
        now: datetime,
        lines: dict[int, RunLog],
        schedules: dict[int, Schedule],
    ) -> list[dict[str, Any]]:
        at = event.at.isoformat()
        match event.kind:
            case "run":
                return [{"id": event.subject, "at": at} | event.data | self._beside(event, now)]
            case "log":
                found = [lines[number] for number in event.data["lines"] if number in lines]
                return [{"run": event.subject, "at": at, "lines": [_line(line) for line in found]}]
            case "worker":
                return [{"name": event.subject, "at": at} | event.data]
            case "schedule":
                return [_schedule(number, schedules.get(number)) for number in event.data["ids"]]
            case _:
                return [{"id": event.subject, "at": at} | event.data]

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


def _lines(events: Iterable[Event]) -> dict[int, RunLog]:
    numbers = [number for event in events for number in event.data["lines"]]
    return RunLog.objects.in_bulk(numbers) if numbers else {}


def _line(line: RunLog) -> dict[str, Any]:
    return {
        "id": line.pk,
        "at": line.at.isoformat(),
        "level": _LEVELS.get(line.level, str(line.level)),
        "message": line.message,
    }


def _schedules(events: Iterable[Event]) -> dict[int, Schedule]:
    numbers = {number for event in events for number in event.data["ids"]}
    return Schedule.objects.select_related("policy").in_bulk(numbers) if numbers else {}


def _schedule(number: int, schedule: Schedule | None) -> dict[str, Any]:
    if schedule is None:
        return {"id": number, "is_deleted": True}
    next_slot_at = schedule.policy.next_slot_at
    return {
        "id": number,
        "name": schedule.name,
        "job": schedule.task,
        "enabled": schedule.enabled,
        "is_paused": schedule.policy.is_paused(timezone.now()),
        "next_slot_at": next_slot_at.isoformat() if next_slot_at else None,
    }
