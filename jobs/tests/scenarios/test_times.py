"""When slots run late or not at all: jitter, pauses, failures, windows, calendars and outages."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django_celery_beat.models import PeriodicTask
from hypothesis import given
from hypothesis import strategies as st

from jobs import jitter, schedules
from jobs.models import Calendar, CalendarDays, JobRun, MaintenanceWindow, Schedule, SchedulePolicy
from jobs.tests.scenarios.story import Story, clock
from jobs.tests.schedules_for_tests import at, crontab_row, edited_at, outcomes, schedule, tick

Status = JobRun.Status
pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


class TestJitter:
    @given(st.integers(1, 10**6), moments, st.integers(1, 86_400), st.integers(1, 86_400))
    def test_it_is_always_the_same_less_than_asked_for_and_over_before_the_next_slot(
        self, schedule_id: int, moment: datetime, most: int, gap: int
    ) -> None:
        following = moment + timedelta(seconds=gap)
        delay = jitter.delay(schedule_id, moment, most=timedelta(seconds=most), following=following)
        assert timedelta(0) <= delay < timedelta(seconds=min(most, gap))
        assert delay == jitter.delay(schedule_id, moment, most=timedelta(seconds=most), following=following)

    def test_a_single_slot_has_its_jitter_too(self) -> None:
        assert jitter.delay(1, clock("00:05"), most=HOUR, following=None) > timedelta(0)

    def test_schedules_and_slots_spread_evenly(self) -> None:
        delays = [
            jitter.delay(schedule_id, clock(f"{hour:02}:00"), most=HOUR, following=None) / HOUR
            for schedule_id in range(1, 101)
            for hour in range(10)
        ]
        tenths = [sum(tenth / 10 <= delay < (tenth + 1) / 10 for delay in delays) for tenth in range(10)]
        assert min(tenths) > 70
        assert max(tenths) < 130

    def test_a_slot_waits_for_its_moment_and_keeps_its_nominal_time(self) -> None:
        story = Story(every=60, jitter_seconds=3600)
        tick(clock("01:00"))
        run = JobRun.objects.get()
        assert (run.status, run.waiting_for, run.scheduled_for) == (Status.WAITING, "jitter", clock("01:00"))
        assert run.not_before is not None
        assert clock("01:00") < run.not_before < clock("02:00")
        story.now = clock("01:00")
        story.play("02:00")
        due = run.not_before + timedelta(minutes=1)
        assert story.started["01:00"] in (f"{run.not_before:%H:%M}", f"{due:%H:%M}")

    def test_an_edit_between_the_nominal_moment_and_the_late_one_loses_nothing(self) -> None:
        story = Story(every=60, jitter_seconds=3600).play("01:00")
        PeriodicTask.objects.filter(pk=story.task.pk).update(kwargs='{"left": 2}')
        story.task.interval.every = 90
        story.task.interval.save()
        story.play("02:00")
        assert "01:00" in story.started

    def test_a_pause_that_is_over_before_the_late_moment_changes_nothing(self) -> None:
        story = Story(every=60, jitter_seconds=3600).play("01:00")
        story.change(paused_at=clock("01:00:01"), paused_until=clock("01:00:02"))
        story.play("02:00")
        assert "01:00" in story.started

    def test_a_pause_at_the_late_moment_skips_the_slot(self) -> None:
        story = Story(every=60, jitter_seconds=3600).play("01:00")
        story.change(paused_at=clock("01:00:01"))
        story.play("02:00")
        assert story.status("01:00") == Status.SKIPPED

    def test_overlap_is_judged_at_the_late_moment(self) -> None:
        story = Story(every=60, jitter_seconds=3600, overlap="skip", lasts={"01:00": 30}).play("01:00")
        assert story.waiting() == ["01:00"]
        schedules.run_now(story.task, by=None, trigger=JobRun.Trigger.ADMIN)
        story.lasts["admin"] = HOUR
        story.play("02:00")
        assert story.status("01:00") == Status.SKIPPED
        assert "Overlap" in story.reason("01:00")

    def test_a_schedule_for_one_run_is_switched_off_and_its_late_run_still_comes(self) -> None:
        story = Story(every=60, jitter_seconds=3600)
        with edited_at(clock("00:00")):
            PeriodicTask.objects.filter(pk=story.task.pk).update(one_off=True)
        story.play("02:00")
        assert list(story.started) == ["01:00"]
        story.task.refresh_from_db()
        assert not story.task.enabled


class TestCatchingUp:
    def test_slots_within_the_window_run_and_older_ones_are_missed(self) -> None:
        task = schedule(crontab_row("17 * * * *"), made_at=at("2022-05-31 18:00"))
        SchedulePolicy.objects.filter(pk=task.pk).update(catch_up="all", catch_up_window_seconds=3600)
        tick(at("2022-05-31 18:01"))
        tick(at("2022-06-01 00:00"))
        assert outcomes(task) == [
            *((at(f"2022-05-31 {hour}:17"), Status.MISSED) for hour in (18, 19, 20, 21, 22)),
            (at("2022-05-31 23:17"), Status.QUEUED),
        ]

    def test_slots_within_a_pause_are_skipped_not_missed(self) -> None:
        task = schedule(crontab_row("17 * * * *"), made_at=at("2022-05-31 18:00"))
        SchedulePolicy.objects.filter(pk=task.pk).update(paused_at=at("2022-05-31 18:00"))
        tick(at("2022-05-31 18:01"))
        tick(at("2022-06-01 00:00"))
        assert {status for _, status in outcomes(task)} == {Status.SKIPPED}


class TestPausing:
    def test_no_slot_runs_within_a_pause_and_the_next_one_after_it_does(self) -> None:
        story = Story(every=3).play("00:07")
        story.change(paused_at=clock("00:07:07"), pause_note="repairs")
        story.play("00:26")
        story.change(paused_until=clock("00:26:07"))
        story.play("00:28")
        assert list(story.started) == ["00:03", "00:06", "00:27"]
        assert story.reason("00:09") == "The schedule was paused: repairs."

    def failing(self) -> Story:
        story = Story(every=5, pause_on_failure=True, failures_count_from=clock("00:00"))
        story.fail("00:05")
        return story

    def test_a_failure_pauses_the_schedule_and_says_why(self) -> None:
        story = self.failing().play("00:21")
        policy = story.policy()
        assert story.skipped() == ["00:10", "00:15", "00:20"]
        assert policy.is_paused(clock("00:21"))
        assert policy.pause_note == "A run failed on 2026-06-01 00:06 UTC: oops"

    def test_an_attempt_that_is_made_again_pauses_nothing(self) -> None:
        story = self.failing()
        story.play("00:05")
        JobRun.objects.filter(status=Status.RUNNING).update(status=Status.RETRYING)
        story.play("00:10")
        assert not story.policy().is_paused(clock("00:10"))

    def test_resumed_it_runs_again_until_the_next_failure(self) -> None:
        story = self.failing().play("00:11")
        schedules.resume(Schedule.objects.get(pk=story.task.pk), by=None)
        story.change(paused_until=clock("00:12"), failures_count_from=clock("00:12"))
        story.play("00:16")
        assert "00:15" in story.started
        story.fail("00:20")
        story.play("00:26")
        assert story.status("00:25") == Status.SKIPPED

    def test_without_the_wish_a_failure_pauses_nothing(self) -> None:
        story = self.failing()
        story.change(pause_on_failure=False)
        story.play("00:11")
        assert story.status("00:10") != Status.SKIPPED

    def test_only_failures_since_the_wish_count(self) -> None:
        story = self.failing()
        story.change(failures_count_from=clock("00:08"))
        assert story.play("00:11").status("00:10") != Status.SKIPPED


class TestWindows:
    def window(self, **values: object) -> MaintenanceWindow:
        times = {"starts_at": clock("00:08"), "ends_at": clock("00:17"), "covers_all": True}
        return MaintenanceWindow.objects.create(name="upgrade", **{**times, **values})

    def test_slots_within_are_held_and_run_at_its_end(self) -> None:
        self.window(note="new disks")
        story = Story(every=5).play("00:16")
        assert story.waiting() == ["00:10", "00:15"]
        assert story.reason("00:10") == "Held until the end of maintenance window upgrade: new disks."
        story.play("00:17")
        assert story.started == {"00:05": "00:05", "00:10": "00:17", "00:15": "00:17"}

    def test_held_slots_obey_the_overlap_rule_when_they_are_let_go(self) -> None:
        self.window()
        story = Story(every=5, overlap="skip").play("00:17")
        assert story.started == {"00:05": "00:05", "00:10": "00:17"}
        assert story.status("00:15") == Status.SKIPPED

    def test_slots_within_are_skipped_by_choice(self) -> None:
        self.window(mode="skip")
        story = Story(every=5).play("00:21")
        assert list(story.started) == ["00:05", "00:20"]
        assert story.reason("00:15") == "Skipped by maintenance window upgrade."

    @pytest.mark.parametrize(
        ("scope", "stops"),
        [
            ({"jobs": ["testing.add_numbers"]}, True),
            ({"jobs": ["testing.do_nothing"]}, False),
            ({"queues": ["default"]}, True),
            ({"queues": ["reports"]}, False),
            ({}, False),
        ],
        ids=str,
    )
    def test_it_stops_whom_it_names(self, scope: dict[str, list[str]], stops: bool) -> None:
        self.window(covers_all=False, **scope)
        assert (Story(every=5).play("00:11").waiting() == ["00:10"]) is stops

    def test_it_may_name_schedules(self) -> None:
        window = self.window(covers_all=False)
        story = Story(every=5)
        window.schedules.add(story.task.pk)
        assert story.play("00:11").waiting() == ["00:10"]

    def test_it_may_come_again_and_again(self) -> None:
        self.window(starts_at=None, ends_at=None, cron="8,28 * * * *", duration_minutes=9)
        story = Story(every=5).play("00:38")
        held = {slot: start for slot, start in story.started.items() if slot != start}
        assert held == {"00:10": "00:17", "00:15": "00:17", "00:30": "00:37", "00:35": "00:37"}

    def test_windows_that_follow_each_other_hold_together(self) -> None:
        self.window()
        MaintenanceWindow.objects.create(
            name="more", starts_at=clock("00:17"), ends_at=clock("00:19"), covers_all=True
        )
        assert Story(every=5).play("00:19").started["00:10"] == "00:19"

    def test_a_window_made_while_slots_wait_holds_them(self) -> None:
        story = Story(every=5, overlap="buffer_all", lasts={"00:05": 6}).play("00:10")
        self.window()
        story.play("00:16")
        run = JobRun.objects.get(scheduled_for=clock("00:10"))
        assert (run.status, run.waiting_for) == (Status.WAITING, "window")
        assert story.play("00:17").started["00:10"] == "00:17"

    def test_what_runs_when_it_begins_is_left_alone_and_switched_off_it_stops_nobody(self) -> None:
        window = self.window()
        story = Story(every=5, lasts={"00:05": 10}).play("00:11")
        assert story.running() == ["00:05"]
        MaintenanceWindow.objects.filter(pk=window.pk).update(enabled=False)
        assert Story.play(story, "00:15").status("00:15") != Status.WAITING

    def test_one_that_cannot_be_read_stops_nobody(self) -> None:
        self.window(starts_at=None, ends_at=None, cron="nonsense", duration_minutes=9)
        assert Story(every=5).play("00:11").started["00:10"] == "00:10"


class TestCalendars:
    def holiday(self, task: PeriodicTask, **values: object) -> None:
        calendar = Calendar.objects.create(name="Holidays")
        days = {"first_day": date(2026, 12, 25), "last_day": date(2026, 12, 26), "note": "Christmas"}
        CalendarDays.objects.create(calendar=calendar, **{**days, **values})
        calendar.schedules.add(task.pk)

    def test_there_are_no_slots_on_its_days_by_the_clocks_of_the_schedule(self) -> None:
        task = schedule(
            crontab_row("30 23 * * *", "America/New_York"), made_at=at("2026-12-24 00:00", "America/New_York")
        )
        self.holiday(task)
        tick(at("2026-12-24 00:00", "America/New_York"))
        tick(at("2026-12-28 00:00", "America/New_York"))
        SchedulePolicy.objects.filter(pk=task.pk).update(catch_up="all")
        found = dict(outcomes(task))
        assert found[at("2026-12-24 23:30", "America/New_York")] != Status.QUEUED  # overtaken by a later one
        assert found[at("2026-12-27 23:30", "America/New_York")] == Status.QUEUED
        reasons = list(
            JobRun.objects.filter(reason__contains="calendar")
            .values_list("reason", flat=True)
            .order_by("scheduled_for")
        )
        assert reasons == [
            "Fri 25 Dec 2026 is in the calendar Holidays: Christmas.",
            "Sat 26 Dec 2026 is in the calendar Holidays: Christmas.",
        ]

    def test_the_latest_slot_that_may_run_is_caught_up(self) -> None:
        task = schedule(crontab_row("0 12 * * *"), made_at=at("2026-12-24 00:00"))
        SchedulePolicy.objects.filter(pk=task.pk).update(catch_up_window_seconds=7 * 86_400)
        self.holiday(task)
        tick(at("2026-12-24 00:00"))
        tick(at("2026-12-26 13:00"))
        assert [status for _, status in outcomes(task)] == [Status.QUEUED, Status.SKIPPED, Status.SKIPPED]

    @pytest.mark.parametrize(
        ("first", "last", "day", "covered"),
        [
            (date(2020, 12, 25), date(2020, 12, 26), date(2026, 12, 26), True),
            (date(2020, 12, 25), date(2020, 12, 26), date(2026, 12, 27), False),
            (date(2020, 12, 30), date(2021, 1, 2), date(2026, 12, 31), True),
            (date(2020, 12, 30), date(2021, 1, 2), date(2027, 1, 1), True),
            (date(2020, 12, 30), date(2021, 1, 2), date(2027, 1, 3), False),
            (date(2020, 2, 29), date(2020, 2, 29), date(2026, 2, 28), False),
        ],
    )
    def test_days_of_every_year(self, first: date, last: date, day: date, covered: bool) -> None:
        assert CalendarDays(first_day=first, last_day=last, is_yearly=True).covers(day) is covered
