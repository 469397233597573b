"""The question that resuming and enabling ask: what to do with the slots that passed meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils import timezone
from unfold import widgets

from jobs import display, passed
from jobs.admin.schedule_form import stored_timing
from jobs.models import Schedule
from jobs.passed import MakeUp, Passed
from jobs.timing import InvalidTiming

RUN = "jobs.run_schedule"
#: So many slots are listed for a schedule, and so many schedules are looked at one by one.
LISTED = 100
ASKED = 200

#: How the slots that passed are found: `passed.while_paused` or `passed.while_off`.
Finder = Callable[[Schedule, datetime], Passed]


@dataclass(frozen=True)
class Missed:
    """The slots of one schedule that passed, as text."""

    schedule: Schedule
    words: str
    slots: list[str]
    """The latest first."""
    hidden: int
    """How many more there are."""


class CatchUpForm(forms.Form):
    """Run none, the latest, or all of the slots that passed: with the exact numbers."""

    catch_up = forms.ChoiceField(
        label="Slots that passed",
        choices=MakeUp.choices,
        initial=MakeUp.SKIP,
        required=False,
        widget=widgets.UnfoldAdminRadioSelectWidget(),
    )

    def __init__(self, data: Any, *, found: Sequence[Passed], may_run: bool) -> None:
        super().__init__(data)
        self.may_run = may_run
        field: Any = self.fields["catch_up"]
        field.choices = _choices(found) if may_run else [(MakeUp.SKIP, MakeUp.SKIP.label)]
        if not may_run:
            field.help_text = "To make up for slots you need the permission to run schedules."
        elif any(one.is_too_many for one in found):
            field.help_text = f"At most {passed.MOST:,} slots of a schedule are made up for at once."

    def clean_catch_up(self) -> str:
        return self.cleaned_data["catch_up"] or MakeUp.SKIP


def _choices(found: Sequence[Passed]) -> list[tuple[str, str]]:
    with_slots = [one for one in found if one.count]
    if not with_slots:
        return [(MakeUp.SKIP, MakeUp.SKIP.label)]
    total = sum(one.count for one in with_slots)
    last = "1 run" if len(with_slots) == 1 else f"1 run of each schedule, {len(with_slots)} in all"
    choices = [(MakeUp.SKIP, f"{MakeUp.SKIP.label}"), (MakeUp.LAST, f"{MakeUp.LAST.label}: {last}")]
    if not any(one.is_too_many for one in with_slots):
        choices.append((MakeUp.ALL, f"{MakeUp.ALL.label}: {total:,} run{'' if total == 1 else 's'}"))
    return [(str(rule), words) for rule, words in choices]


class CatchUpQuestion:
    """The question about one or more schedules, and its answer."""

    def __init__(
        self, request: HttpRequest, chosen: Sequence[Schedule], find: Finder, *, is_posted: bool
    ) -> None:
        now = timezone.now()
        # Of very many schedules nobody would read the list; making up for their slots is refused with it.
        self.found = [find(one, now) for one in chosen] if len(chosen) <= ASKED else []
        self.missed = [
            _missed(schedule, found)
            for schedule, found in zip(chosen, self.found, strict=False)
            if found.count
        ]
        if (
            is_posted
            and request.POST.get("catch_up", MakeUp.SKIP) != MakeUp.SKIP
            and not request.user.has_perm(RUN)
        ):
            raise PermissionDenied
        self.form = CatchUpForm(
            request.POST if is_posted else None, found=self.found, may_run=request.user.has_perm(RUN)
        )

    @property
    def rule(self) -> str | None:
        """The answer; None while there is none, or one that does not fit."""
        return str(self.form.cleaned_data["catch_up"]) if self.form.is_valid() else None

    @property
    def context(self) -> dict[str, Any]:
        """What the page shows."""
        return {"form": self.form, "missed": self.missed}


def _missed(schedule: Schedule, found: Passed) -> Missed:
    zone = _zone_of(schedule)
    shown = found.slots[: -LISTED - 1 : -1]
    return Missed(
        schedule=schedule,
        words=f"{found.words} since {display.both_clocks(found.since, zone)}" if found.since else found.words,
        slots=[display.both_clocks(at, zone) for at in shown],
        hidden=found.count - len(shown),
    )


def _zone_of(schedule: Schedule) -> ZoneInfo:
    try:
        return stored_timing(schedule, timezone.now()).zone
    except InvalidTiming:
        return ZoneInfo("UTC")
