"""Every slot has one outcome, whatever people and clocks do to a schedule."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import schedules, slots
from jobs.errors import IllegalState
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import at, crontab_row, edited_at, outcomes, runs, schedule, tick
from jobs.timing import Crontab, Timing

Status = JobRun.Status
CatchUp = SchedulePolicy.CatchUp
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NINE = at("2026-03-02 09:00")

pytestmark = pytest.mark.django_db


class TestEdits:
    def test_a_slot_right_after_an_edit_is_not_lost_to_the_tick_that_comes_later_still(self) -> None:
        task = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-02 08:59:59"))
        tick(NINE + timedelta(milliseconds=2))
        assert runs(task) == [NINE]

    def test_a_slot_right_before_an_edit_is_recorded_and_not_run(self) -> None:
        task = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-02 08:00"))
        tick(at("2026-03-02 08:00"))
        with edited_at(NINE + timedelta(milliseconds=1)):
            CrontabSchedule.objects.filter(pk=task.crontab_id).update(hour="11")
        tick(NINE + timedelta(milliseconds=2))
        assert outcomes(task) == [(NINE, Status.SKIPPED)]
        tick(at("2026-03-02 11:00"))
        assert runs(task) == [at("2026-03-02 11:00")]

    def test_a_schedule_disabled_right_after_its_slot_does_not_run_it(self) -> None:
        task = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-02 08:00"))
        tick(at("2026-03-02 08:00"))
        with edited_at(NINE + timedelta(milliseconds=1)):
            PeriodicTask.objects.filter(pk=task.pk).update(enabled=False)
        assert tick(NINE + timedelta(milliseconds=2)) == []
        assert outcomes(task) == [(NINE, Status.SKIPPED)]
        assert JobRun.objects.get().reason == slots.OVERTAKEN

    def test_slots_between_an_edit_and_a_late_tick_are_caught_up_with(self) -> None:
        task = schedule(crontab_row("0 * * * *"), made_at=at("2026-03-02 08:30"))
        tick(at("2026-03-02 11:15"))
        assert outcomes(task) == [
            (at("2026-03-02 09:00"), Status.SKIPPED),
            (at("2026-03-02 10:00"), Status.SKIPPED),
            (at("2026-03-02 11:00"), Status.QUEUED),
        ]

    def test_an_edit_of_the_parameters_moves_no_slot(self) -> None:
        task = schedule(IntervalSchedule.objects.create(every=10, period="minutes"), made_at=NINE)
        tick(NINE)
        PeriodicTask.objects.filter(pk=task.pk).update(kwargs='{"left": 2}')
        policy = SchedulePolicy.objects.get(pk=task.pk)
        assert not policy.is_stale
        assert policy.next_slot_at == NINE + 10 * MINUTE

    def test_an_expression_that_cannot_be_read_says_why_and_fires_nothing(self) -> None:
        task = schedule(crontab_row("0 9 * * *"), made_at=at("2026-03-02 08:00"))
        with edited_at(at("2026-03-02 08:10")):
            CrontabSchedule.objects.filter(pk=task.crontab_id).update(hour="25")
        assert tick(NINE) == []
        assert SchedulePolicy.objects.get(pk=task.pk).planning_error == "hour: 25 is not among 0 to 23"


class TestPauses:
    def test_slots_in_a_pause_are_skipped_also_when_the_scheduler_sees_them_after_the_resume(self) -> None:
        task = schedule(crontab_row("*/30 * * * *"), made_at=at("2026-03-02 08:15"))
        tick(at("2026-03-02 08:15"))
        self.pause(task, at("2026-03-02 08:20"), until=at("2026-03-02 09:10"))
        tick(at("2026-03-02 09:20"))
        assert outcomes(task) == [(at("2026-03-02 08:30"), Status.SKIPPED), (NINE, Status.SKIPPED)]

    def test_the_latest_slot_outside_of_the_pause_is_the_one_to_catch_up_with(self) -> None:
        task = schedule(crontab_row("*/30 * * * *"), made_at=at("2026-03-02 07:50"))
        tick(at("2026-03-02 07:50"))
        self.pause(task, at("2026-03-02 08:40"), until=None)
        tick(at("2026-03-02 09:20"))
        assert runs(task) == [at("2026-03-02 08:30")]

    def test_resuming_leaves_the_bounds_of_the_pause(self) -> None:
        task = Schedule.objects.get(pk=schedule(crontab_row("0 9 * * *"), made_at=NINE).pk)
        paused = schedules.pause(task, note="moving house", by=None)
        schedules.resume(task, by=None)
        resumed = SchedulePolicy.objects.get(pk=task.pk)
        assert paused.paused_at is not None
        assert resumed.paused_until is not None
        assert resumed.is_paused(paused.paused_at)
        assert not resumed.is_paused(resumed.paused_until)
        with pytest.raises(IllegalState, match="not paused"):
            schedules.resume(task, by=None)

    @staticmethod
    def pause(task: PeriodicTask, since: datetime, until: datetime | None) -> None:
        SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=since, paused_until=until)


class TestOneOff:
    @pytest.mark.parametrize("catch_up", CatchUp.values)
    def test_a_schedule_for_one_run_has_one_however_many_slots_passed(self, catch_up: str) -> None:
        task = schedule(crontab_row("* * * * *"), made_at=NINE, one_off=True)
        SchedulePolicy.objects.update(catch_up=catch_up)
        tick(NINE + 5 * MINUTE + timedelta(seconds=1))
        tick(NINE + 10 * MINUTE)
        assert len(runs(task)) == 1
        task.refresh_from_db()
        assert not task.enabled


EXPRESSIONS = ["*/10 * * * *", "7,37 * * * *", "0 */2 * * *", "30 8-11 * * *", "15 9 * * *"]


@dataclass
class Step:
    """Time passes; then perhaps somebody does something; then perhaps the scheduler is back."""

    minutes: int
    action: str
    expression: str
    is_beat_up: bool


steps = st.lists(
    st.builds(
        Step,
        minutes=st.integers(0, 150) | st.integers(-40, -1),
        action=st.sampled_from(["nothing", "edit", "disable", "enable", "pause", "resume"]),
        expression=st.sampled_from(EXPRESSIONS),
        is_beat_up=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@dataclass
class Expectation:
    """What the slots must come to, told from the steps alone."""

    timing: Timing
    since: datetime
    is_enabled: bool = True
    is_planned: bool = True
    settled_until: datetime = field(init=False)
    overtaken: datetime | None = None
    slots: set[datetime] = field(default_factory=set)
    must_not_run: set[datetime] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.settled_until = self.since

    def scheduler_comes(self, now: datetime) -> None:
        """A new timing counts from its edit on; everything up to now is settled."""
        if not self.is_planned:
            self.is_planned = True
            self.since = self.settled_until = min(self.since, now)
            if self.overtaken is not None and self.overtaken <= self.since:
                self.must_not_run |= {self.overtaken} - self.slots
                self.slots.add(self.overtaken)
        if self.is_enabled and now > self.settled_until:
            self.slots.update(self.timing.slots(self.settled_until, until=now))
        self.settled_until = max(self.settled_until, now)

    def somebody_edits(self, now: datetime, timing: Timing, is_enabled: bool) -> None:
        """Of what passed unseen under the former timing, the first slot is recorded; none runs.

        A timing that no scheduler ever saw leaves no trace.
        """
        if self.is_planned:
            self.overtaken = self.timing.next_after(self.settled_until) if self.is_enabled else None
        if self.overtaken is not None and self.overtaken > now:
            self.overtaken = None
        self.timing, self.is_enabled, self.is_planned = timing, is_enabled, False
        self.since = self.settled_until = now


def rows_made_by_tick(task: PeriodicTask, now: datetime) -> Iterator[tuple[datetime, str]]:
    before = dict(outcomes(task))
    tick(now)
    yield from (row for row in outcomes(task) if row[0] not in before)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=steps, catch_up=st.sampled_from(CatchUp.values))
def test_every_expected_slot_has_one_outcome_and_no_past_slot_fires(steps: list[Step], catch_up: str) -> None:
    PeriodicTask.objects.all().delete()
    JobRun.objects.all().delete()
    now = at("2026-03-02 08:00")
    row = crontab_row(EXPRESSIONS[0])
    task = schedule(row, made_at=now)
    SchedulePolicy.objects.update(catch_up=catch_up, catch_up_window_seconds=366 * 86_400)
    tick(now)
    expected = Expectation(Crontab.of(EXPRESSIONS[0]), now)
    for step in steps:
        now += step.minutes * MINUTE + timedelta(seconds=1)
        act(step, task, expected, now)
        if step.is_beat_up:
            since = min(expected.since, now)
            expected.scheduler_comes(now)
            for slot, status in rows_made_by_tick(task, now):
                if status == Status.QUEUED:
                    assert since < slot <= now, "a run of a slot before the last edit"
                    assert not SchedulePolicy.objects.get(pk=task.pk).is_paused(slot)
    tick(now + 3 * HOUR)
    expected.scheduler_comes(now + 3 * HOUR)
    found = dict(outcomes(task))
    assert set(found) == expected.slots
    assert not [slot for slot in expected.must_not_run if found[slot] == Status.QUEUED]


def act(step: Step, task: PeriodicTask, expected: Expectation, now: datetime) -> None:
    match step.action:
        case "edit":
            change(task, now, crontab=crontab_row(step.expression))
            expected.somebody_edits(now, Crontab.of(step.expression), expected.is_enabled)
        case "disable" | "enable":
            is_enabled = step.action == "enable"
            if is_enabled != expected.is_enabled:
                change(task, now, enabled=is_enabled)
                expected.somebody_edits(now, expected.timing, is_enabled)
        case "pause":
            SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=now, paused_until=None)
        case "resume":
            SchedulePolicy.objects.filter(pk=task.pk, paused_until=None).update(paused_until=now)


def change(task: PeriodicTask, now: datetime, **values: object) -> None:
    with edited_at(now):
        PeriodicTask.objects.filter(pk=task.pk).update(**values)
