"""Deadlines that will be missed: one alert for each schedule or job, raised before it happens.

It ends when the prediction gets better, or the runs that it is about have ended.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from jobs import display, prediction
from jobs.alerts import recovery, subjects
from jobs.alerts.kinds import Kind, register
from jobs.alerts.raising import Subject, raise_alert
from jobs.models import Alert
from jobs.prediction import Due, Prediction

DEADLINE_AT_RISK = "jobs.deadline_at_risk"

#: Coming slots are looked at so far ahead.
AHEAD = timedelta(hours=2)
#: An alert that is open stays so until the chance to miss the deadline is less than this; see `prediction.LATE`.
STAYS = 0.3
#: Playing it through is not repeated at every look.
_EVERY = timedelta(seconds=20)


class _Memory:
    """What was foretold last, in this process."""

    at: datetime | None = None
    found: list[Prediction]


_memory = _Memory()


def watch(at: datetime) -> None:
    """Raise an alert for what will be late, again at each look while it will."""
    live = set(Alert.objects.live().filter(kind=DEADLINE_AT_RISK).values_list("fingerprint", flat=True))
    for cause, worst in _worst(_foretold(at)).items():
        if worst.chance >= (STAYS if cause in live else prediction.LATE):
            _tell(cause, worst, at)


def _foretold(at: datetime) -> list[Prediction]:
    if _memory.at is None or not timedelta() <= at - _memory.at < _EVERY:
        _memory.found = prediction.predict(at, horizon=AHEAD) if prediction.is_needed() else []
        _memory.at = at
    return _memory.found


def _worst(found: Iterable[Prediction]) -> dict[str, Prediction]:
    """By cause, the prediction with the highest chance; the earliest of equals."""
    worst: dict[str, Prediction] = {}
    for one in found:
        if one.due is None:
            continue
        subject = f"schedule:{one.schedule_id}" if one.schedule_id else f"job:{one.job}"
        cause = f"{subject}:group {one.owner_group_id}" if one.owner_group_id else subject
        if cause not in worst or one.chance > worst[cause].chance:
            worst[cause] = one
    return worst


def _tell(cause: str, worst: Prediction, at: datetime) -> None:
    subject = _subject(worst)
    what = "deadline" if worst.due == Due.DEADLINE else "expected duration"
    is_over = worst.due_at is not None and worst.due_at <= at
    which = f" of {worst.slot:%H:%M} UTC" if worst.slot else ""
    raise_alert(
        DEADLINE_AT_RISK,
        subject=subject,
        fingerprint=cause,
        title=f"{subject.text} {'has missed' if is_over else 'will miss'} its {what}",
        message=f"{'The run' if worst.run_id else 'The slot'}{which}: {worst.reason}",
        context={
            "runs": [str(worst.run_id)] if worst.run_id else [],
            "slot": worst.slot.isoformat() if worst.slot else None,
            "chance": round(worst.chance, 2),
            "due_in": display.duration((worst.due_at - at).total_seconds())
            if worst.due_at and not is_over
            else "",
        },
        at=at,
        job=worst.job,
        owner_group_id=worst.owner_group_id,
    )


def _subject(one: Prediction) -> Subject:
    if one.schedule_id is not None:
        return subjects.of_schedule(one.schedule_id, one.schedule_name)
    return subjects.of_run(one.run_id, one.job)


register(
    Kind(
        name=DEADLINE_AT_RISK,
        title="Deadline at risk",
        severity=Alert.Severity.MEDIUM,
        help_text="A run, or a slot that is still to come, will miss its deadline or its expected duration as things "
        "stand: judged by how long such runs took, how far it is, and what waits before it.",
        runbook="Read the reason: is it the wait for a worker, or the run itself?\n"
        "Start more workers for its queue, or cancel what is less urgent and runs before it.\n"
        "If it always takes that long, give it more time or an earlier slot.",
        bad_in_a_row=2,
        good_in_a_row=2,
        is_folded=True,
        find_bad=watch,
        find_good=recovery.when_unseen,
    )
)
