"""Heavy minutes: counted over all schedules, quickly, and told before a schedule is saved."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask

from jobs import load
from jobs.load import Group, Lighter, Load, collisions, count, load_of_coming_day
from jobs.models import SchedulePolicy
from jobs.tests.schedules_for_tests import JOB, at, crontab_row
from jobs.timing import Clocked, Crontab, Interval, Solar, Windowed

START = at("2026-03-02 00:00")
NINE = 9 * 60


def day_of(*timings, times=1):
    return count([Group(timing, times, 1) for timing in timings], START)


@pytest.mark.parametrize(
    ("timing", "total", "busiest"),
    [
        (Crontab.of("0 9 * * *"), 1, {NINE}),
        (Crontab.of("0 9 * * *", "America/New_York"), 1, {NINE + 5 * 60}),
        (Crontab.of("*/30 * * * *"), 48, {number * 30 for number in range(48)}),
        (Interval(15, "minutes", at("2026-03-01 12:07")), 96, {7 + number * 15 for number in range(96)}),
        (Interval(90, "seconds", START), 960, {number for number in range(1440) if number % 3 != 2}),
        (Interval(10, "seconds", START), 8640, set(range(1440))),
        (Interval(7, "days", START), 1, {0}),
        (Interval(7, "days", at("2026-03-03 00:00")), 0, set()),
        (Clocked(at("2026-03-02 10:30")), 1, {630}),
        (Clocked(at("2026-03-04 10:30")), 0, set()),
        (Windowed(Crontab.of("0 * * * *"), at("2026-03-02 20:30"), None), 3, {21 * 60, 22 * 60, 23 * 60}),
    ],
)
def test_the_slots_of_a_day_are_counted_minute_by_minute(timing, total, busiest):
    found = day_of(timing)
    assert found.total == total
    assert {number for number, runs in enumerate(found.minutes) if runs} == busiest


def test_the_sun_is_counted_too():
    assert day_of(Solar("sunset", 52.5, 13.4)).total == 1


def test_the_first_moment_of_the_day_belongs_to_it_and_the_last_does_not():
    assert day_of(Interval(1, "days", START)).minutes[0] == 1
    assert day_of(Interval(1, "days", START)).total == 1


def test_too_many_timings_are_sampled_and_say_so(monkeypatch):
    monkeypatch.setattr(load, "MOST_STEPS", 100)
    groups = [Group(Crontab.of(f"{number % 60} * * * *"), 2, 24) for number in range(60)]
    sampled = count(groups, START)
    assert sampled.is_estimate
    assert 0.8 < sampled.total / (60 * 24 * 2) < 1.2


class TestCollisions:
    full_hours = day_of(Crontab.of("0 * * * *"), times=30)

    def test_a_timing_on_heavy_minutes_hears_of_them_and_of_a_lighter_place(self):
        found = collisions(Crontab.of("0 9,10 * * *"), self.full_hours)
        assert (found.slots, found.most, len(found.heavy)) == (2, 30, 2)
        assert found.heavy[0].at == at("2026-03-02 09:00")
        assert found.lighter == Lighter(1, 0)

    def test_a_timing_beside_them_does_not(self):
        found = collisions(Crontab.of("5 9 * * *"), self.full_hours)
        assert (found.most, found.heavy, found.lighter) == (0, [], None)

    def test_few_runs_are_not_heavy(self):
        assert collisions(Crontab.of("0 9 * * *"), day_of(Crontab.of("0 9 * * *"), times=9)).heavy == []

    def test_a_minute_like_all_others_is_not_heavy(self):
        even = day_of(Crontab.of("* * * * *"), times=50)
        assert collisions(Crontab.of("0 9 * * *"), even).heavy == []

    def test_a_timing_that_is_everywhere_gets_no_advice_to_move(self):
        found = collisions(Crontab.of("* * * * *"), self.full_hours)
        assert (len(found.heavy), found.lighter) == (24, None)

    def test_a_schedule_does_not_collide_with_itself(self):
        timing = Crontab.of("0 9 * * *")
        alone = Load(START, day_of(timing).minutes, False)
        assert collisions(timing, alone.without(timing)).most == 0


@pytest.mark.django_db
class TestStoredSchedules:
    @pytest.fixture(autouse=True)
    def forget(self):
        load._counted.clear()

    @pytest.fixture
    def now(self):
        return timezone.now()

    def runs_at_nine(self, now):
        """Of the coming day, wherever its nine o'clock lies: it may be the very first minute."""
        found = load_of_coming_day(now)
        nine = now.replace(hour=9, minute=0, second=0, microsecond=0)
        numbers = [found.index(nine + timedelta(days=days)) for days in (0, 1)]
        (number,) = [number for number in numbers if number is not None]
        return found.minutes[number]

    def test_those_that_fire_count(self, now):
        row = crontab_row("0 9 * * *")
        for number in range(12):
            PeriodicTask.objects.create(name=str(number), task=JOB, crontab=row)
        PeriodicTask.objects.create(name="off", task=JOB, crontab=row, enabled=False)
        PeriodicTask.objects.create(name="orphan", task="gone.away", crontab=row)
        paused = PeriodicTask.objects.create(name="paused", task=JOB, crontab=row)
        SchedulePolicy.objects.filter(pk=paused.pk).update(paused_at=now)
        assert self.runs_at_nine(now) == 12

    def test_every_kind_is_read(self):
        now = timezone.now()
        interval = IntervalSchedule.objects.create(every=6, period="hours")
        clocked = ClockedSchedule.objects.create(clocked_time=now + timedelta(hours=2))
        PeriodicTask.objects.create(name="interval", task=JOB, interval=interval)
        once = PeriodicTask.objects.create(name="once", task=JOB, clocked=clocked, one_off=True)
        SchedulePolicy.objects.filter(pk=once.pk).update(next_slot_at=clocked.clocked_time)
        PeriodicTask.objects.create(name="ended", task=JOB, interval=interval, expires=now)
        assert load_of_coming_day(now).total == 4 + 1

    def test_an_edit_is_seen_at_once_and_nothing_is_counted_twice_without_one(
        self, now, django_assert_num_queries
    ):
        task = PeriodicTask.objects.create(name="nine", task=JOB, crontab=crontab_row("0 9 * * *"))
        assert self.runs_at_nine(now) == 1
        with django_assert_num_queries(1):
            load_of_coming_day(now)
        PeriodicTask.objects.filter(pk=task.pk).update(crontab=crontab_row("0 10 * * *"))
        assert self.runs_at_nine(now) == 0
