"""`manage.py schedules simulate`: what will happen, as far as it can be known."""

import io
import json
import time
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django_celery_beat.models import PeriodicTask

from jobs.models import Calendar, CalendarDays, JobRun, MaintenanceWindow, SchedulePolicy
from jobs.tests.schedules_for_tests import at, crontab_row, outcomes, schedule, tick

pytestmark = pytest.mark.django_db
MADE = at("2026-06-01 00:00")


def simulate(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("schedules", "simulate", *arguments, stdout=out)
    return out.getvalue().splitlines()


def day(*arguments: str) -> list[str]:
    return simulate("--from", "2026-06-01", "--to", "2026-06-02", *arguments)


@pytest.fixture
def nightly() -> PeriodicTask:
    return schedule(crontab_row("0 */8 * * *"), made_at=MADE, name="nightly")


class TestSlots:
    def test_every_slot_is_told_in_order_with_totals(self, nightly: PeriodicTask) -> None:
        schedule(crontab_row("30 8 * * *"), made_at=MADE, name="breakfast")
        assert day() == [
            "2026-06-01 00:00:00  run      nightly",
            "2026-06-01 08:00:00  run      nightly",
            "2026-06-01 08:30:00  run      breakfast",
            "2026-06-01 16:00:00  run      nightly",
            "4 slots: 4 run.",
            "Fullest hour: 2026-06-01 08:00 UTC with 2 starts.",
            "Fullest minutes: 2026-06-01 00:00 (1), 2026-06-01 08:00 (1), 2026-06-01 08:30 (1), "
            "2026-06-01 16:00 (1).",
        ]

    def test_pauses_calendars_windows_and_jitter_are_foreseen(self, nightly: PeriodicTask) -> None:
        calendar = Calendar.objects.create(name="Holidays")
        CalendarDays.objects.create(
            calendar=calendar, first_day=date(2026, 6, 2), last_day=date(2026, 6, 2), note="Republic Day"
        )
        calendar.schedules.add(nightly.pk)
        SchedulePolicy.objects.filter(pk=nightly.pk).update(
            paused_at=at("2026-06-01 07:00"), paused_until=at("2026-06-01 09:00"), pause_note="repairs"
        )
        MaintenanceWindow.objects.create(
            name="upgrade", starts_at=at("2026-06-01 15:00"), ends_at=at("2026-06-01 17:00"), covers_all=True
        )
        lines = simulate("--from", "2026-06-01T08:00", "--to", "2026-06-02T08:00")
        assert lines[:3] == [
            "2026-06-01 08:00:00  skipped  nightly  The schedule was paused: repairs.",
            "2026-06-01 16:00:00  late     nightly  starts 2026-06-01 17:00:00  "
            "Held until the end of maintenance window upgrade.",
            "2026-06-02 00:00:00  skipped  nightly  Tue 2 Jun 2026 is in the calendar Holidays: Republic Day.",
        ]

    def test_the_scheduler_does_what_was_foreseen(self) -> None:
        task = schedule(crontab_row("0 */8 * * *"), made_at=MADE, name="late")
        SchedulePolicy.objects.filter(pk=task.pk).update(jitter_seconds=7200)
        foreseen = [json.loads(line) for line in day("--json")][:-1]
        tick(MADE)
        tick(at("2026-06-01 08:00"))
        run = JobRun.objects.get(schedule=task)
        assert run.not_before is not None
        assert foreseen[1]["starts_at"] == run.not_before.isoformat()
        assert [slot for slot, _ in outcomes(task)] == [at("2026-06-01 08:00")]

    def test_disabled_schedules_and_other_jobs_are_left_out(self, nightly: PeriodicTask) -> None:
        assert day("--job", "testing.do_nothing") == ["0 slots."]
        assert len(day("--job", nightly.task)) == 6
        PeriodicTask.objects.update(enabled=False)
        assert day() == ["0 slots."]

    def test_a_schedule_for_one_run_has_one_slot_and_an_orphan_none_that_runs(
        self, nightly: PeriodicTask
    ) -> None:
        PeriodicTask.objects.filter(pk=nightly.pk).update(one_off=True)
        assert day("--totals")[0] == "1 slots: 1 run."
        PeriodicTask.objects.filter(pk=nightly.pk).update(one_off=False, task="gone.for_good")
        assert day("--totals") == ["3 slots: 3 missed."]


class TestUse:
    def test_json_ends_with_the_totals(self, nightly: PeriodicTask) -> None:
        *slots, last = [json.loads(line) for line in day("--json", "--schedule", "nightly")]
        assert [slot["outcome"] for slot in slots] == ["run"] * 3
        assert last["totals"]["slots"] == 3
        assert last["totals"]["by_hour"]["2026-06-01T16:00:00+00:00"] == 1

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--from", "tomorrow"),
            ("--from", "2026-13-01"),
            ("--from", "2026-06-02", "--to", "2026-06-01"),
            ("--schedule", "nobody's"),
        ],
    )
    def test_wrong_use_is_told(self, arguments: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            simulate(*arguments)

    def test_nothing_is_written(self, nightly: PeriodicTask) -> None:
        before = SchedulePolicy.objects.values().get(pk=nightly.pk)
        day()
        assert SchedulePolicy.objects.values().get(pk=nightly.pk) == before
        assert not JobRun.objects.exists()


def test_a_year_of_many_schedules_takes_seconds() -> None:
    for number in range(100):
        schedule(crontab_row(f"{number % 60} {number % 24} * * *"), made_at=MADE, name=f"s{number}")
    started = time.monotonic()
    assert (
        simulate("--from", "2027-01-01", "--to", "2028-01-01", "--totals")[0] == "36,500 slots: 36,500 run."
    )
    assert time.monotonic() - started < 30
