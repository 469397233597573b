"""What becomes of slots that come while an earlier run of their schedule has not ended.

Pure decisions; `jobs.slots` makes them for new slots, `jobs.release` again for those that waited.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from jobs.models import SchedulePolicy

Overlap = SchedulePolicy.Overlap
T = TypeVar("T")


@dataclass(frozen=True)
class Settled(Generic[T]):
    """What to do with slots, each in exactly one of the three."""

    #: To run now.
    start: list[T] = field(default_factory=list)
    #: To wait until the earlier run has ended.
    keep: list[T] = field(default_factory=list)
    #: Never to run, with the reason.
    drop: list[tuple[T, str]] = field(default_factory=list)


def stops_others(rule: str) -> bool:
    """Whether a new slot makes the earlier run stop."""
    return rule in (Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER)


def settle(rule: str, slots: Sequence[T], *, busy: str, buffer_limit: int) -> Settled[T]:
    """Decide about slots in their order, those that waited already first.

    `busy` describes the earlier run that has not ended ("the run of 12:00"), and is empty when there is none.
    The rule is the schedule's of now, so that an edit is felt by those that wait, too.
    """
    if rule == Overlap.ALLOW_ALL:
        return Settled(start=list(slots))
    if stops_others(rule):
        return _latest_wins(rule, slots, is_busy=bool(busy))
    start, others = ([], list(slots)) if busy else (list(slots[:1]), list(slots[1:]))
    room = {Overlap.BUFFER_ONE: 1, Overlap.BUFFER_ALL: buffer_limit}.get(Overlap(rule), 0)
    earlier = busy or "an earlier slot's run"
    reasons = {
        Overlap.SKIP: f"Overlap: {earlier} had not ended.",
        Overlap.BUFFER_ONE: f"Overlap: {earlier} had not ended, and one slot waited already.",
        Overlap.BUFFER_ALL: f"Overlap: {earlier} had not ended, and the buffer was full: {room} slots waited.",
    }
    return Settled(
        start=start, keep=others[:room], drop=[(slot, reasons[Overlap(rule)]) for slot in others[room:]]
    )


def _latest_wins(rule: str, slots: Sequence[T], *, is_busy: bool) -> Settled[T]:
    *overtaken, latest = slots
    drop = [(slot, "Overlap: a later slot took its place before it could start.") for slot in overtaken]
    return Settled(keep=[latest], drop=drop) if is_busy else Settled(start=[latest], drop=drop)
