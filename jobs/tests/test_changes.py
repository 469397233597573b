"""What saving will change is told before it happens."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jobs import schedules
from jobs.changes import Mark, change_of, others_at_its_minutes
from jobs.models import JobRun, Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.schedules_for_tests import at
from jobs.timing import Crontab, Interval
from jobs.when import When, timing_of_when

pytestmark = pytest.mark.django_db

NOON = at("2026-03-02 12:00")
WISH = Wish(name="Sums", job="testing.add_numbers", when=When(cron="0 15 * * *"), parameters={"left": 1})


def planned(next_slot_at, **changes):
    """A schedule that a scheduler has planned."""
    schedule = schedules.create(replace(WISH, **changes), by=None)
    SchedulePolicy.objects.filter(pk=schedule.pk).update(
        is_stale=False, next_slot_at=next_slot_at, anchor_at=NOON - timedelta(days=9)
    )
    return Schedule.objects.select_related("policy").get(pk=schedule.pk)


@pytest.fixture
def daily():
    return planned(at("2026-03-02 15:00"))


def marks(marked):
    return [one.mark for one in marked]


def test_nothing_changes_when_the_timing_stays(daily):
    change = change_of(daily, Crontab.of("0 15 * * *"), NOON)
    assert set(marks(change.before) + marks(change.after)) == {Mark.STAYS}
    assert not change.is_move
    assert change.notes == []


def test_slots_are_compared_with_the_whole_other_timing_and_not_with_its_next_ten(daily):
    change = change_of(daily, Crontab.of("0 * * * *"), NOON)
    assert set(marks(change.before)) == {Mark.STAYS}
    assert marks(change.after)[:4] == [Mark.NEW, Mark.NEW, Mark.STAYS, Mark.NEW]
    assert change.is_move


def test_a_slot_of_today_that_passed_is_said_not_to_run(daily):
    change = change_of(daily, Crontab.of("0 9 * * *"), NOON)
    assert change.notes == [
        "Its slot of Mon 2 Mar, 09:00 UTC would have passed already: it does not run.",
        "The next run moves from Mon 2 Mar, 15:00 UTC to Tue 3 Mar, 09:00 UTC.",
    ]
    assert set(marks(change.before)) == {Mark.DROPPED}


def test_many_passed_slots_are_counted(daily):
    change = change_of(daily, Crontab.of("*/30 * * * *"), NOON)
    assert change.notes[0] == (
        "47 of its slots, the latest of Mon 2 Mar, 12:00 UTC, would have passed within the last day: they do not run."
    )


def test_a_slot_that_no_scheduler_came_to_is_said_to_be_skipped():
    overdue = planned(at("2026-03-02 11:00"), when=When(cron="0 11 * * *"))
    change = change_of(overdue, Crontab.of("0 18 * * *"), NOON)
    assert (
        "The slot of Mon 2 Mar, 11:00 UTC has passed and no scheduler has come to it yet" in change.notes[0]
    )


def test_a_new_interval_counts_from_the_moment_of_saving(daily):
    change = change_of(daily, Interval(2, "hours", NOON), NOON)
    assert change.notes == [
        "The next run moves from Mon 2 Mar, 15:00 UTC to Mon 2 Mar, 14:00 UTC.",
        "The interval is counted from the moment of saving.",
    ]


def test_switching_off_drops_every_slot(daily):
    change = change_of(daily, Crontab.of("0 15 * * *"), NOON, enabled=False)
    assert (set(marks(change.before)), change.after) == ({Mark.DROPPED}, [])
    assert change.notes == ["It fires no more until it is switched on."]


def test_switching_on_says_that_the_past_does_not_run():
    off = planned(None, enabled=False)
    change = change_of(off, Crontab.of("0 15 * * *"), NOON, enabled=True)
    assert (change.before, set(marks(change.after))) == ([], {Mark.NEW})
    assert change.notes == [
        "Its first run is Mon 2 Mar, 15:00 UTC; what passed while it was off does not run."
    ]


def test_an_end_is_a_move_to_never(daily):
    ended = timing_of_when(When(cron="0 15 * * *"), anchor=NOON, end=NOON)
    assert change_of(daily, ended, NOON).notes == ["The next run moves from Mon 2 Mar, 15:00 UTC to never."]


def test_runs_under_way_go_on(daily):
    schedules.run_now(daily, by=None, trigger=JobRun.Trigger.CODE)
    change = change_of(daily, Crontab.of("0 15 * * *"), NOON)
    assert change.notes == ["One run is under way or waiting, and stays as it was made."]


def test_a_schedule_is_no_collision_of_its_own(daily):
    assert others_at_its_minutes(Crontab.of("0 15 * * *"), NOON, daily).most == 0
    assert others_at_its_minutes(Crontab.of("0 15 * * *"), NOON).most == 1
