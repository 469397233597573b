import io
import re
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from jobs import slots, sync
from jobs.models import SchedulePolicy
from jobs.tests.schedules_for_tests import crontab_row, schedule

pytestmark = pytest.mark.django_db


def schedules(*arguments):
    """Run `manage.py schedules …`; gives the exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("schedules", *arguments, stdout=out, stderr=err)
    except SystemExit as ended:
        return ended.code, out.getvalue() + err.getvalue()
    return 0, out.getvalue() + err.getvalue()


def test_list_shows_each_schedule_with_timing_next_slot_and_state():
    nightly = crontab_row("0 3 * * *", "Europe/London")
    running, off, gone, paused, broken, new = (
        schedule(nightly, made_at=timezone.now(), name=name)
        for name in ("a running", "b off", "c gone", "d paused", "e broken", "f new")
    )
    PeriodicTask.objects.filter(pk=off.pk).update(enabled=False)
    PeriodicTask.objects.filter(pk=gone.pk).update(task="app.removed")
    PeriodicTask.objects.filter(pk=broken.pk).update(crontab=CrontabSchedule.objects.create(hour="25"))
    slots.plan_stale(timezone.now())
    SchedulePolicy.objects.filter(pk=paused.pk).update(
        paused_at=timezone.now() - timedelta(hours=1), pause_note="on holiday"
    )
    SchedulePolicy.objects.filter(pk=new.pk).update(is_stale=True)
    slot = SchedulePolicy.objects.get(pk=running.pk).next_slot_at

    code, text = schedules("list")

    next_slot = f"{slot:%Y-%m-%d %H:%M:%S} UTC"
    timing = "At 03:00 every day (Europe/London)"
    assert code == 0
    assert [re.split(r" {2,}", line) for line in text.splitlines()] == [
        ["a running", timing, next_slot],
        ["b off", timing, "-", "disabled"],
        ["c gone", timing, next_slot, "orphaned: no task is named app.removed"],
        ["d paused", timing, next_slot, "paused: on holiday"],
        ["e broken", "unreadable: hour: 25 is not among 0 to 23"],
        ["f new", timing, "-", "waits for the scheduler"],
    ]


def test_list_reads_any_number_of_schedules_in_one_query(django_assert_num_queries):
    for number in range(5):
        schedule(crontab_row("0 3 * * *"), made_at=timezone.now(), name=str(number))
    with django_assert_num_queries(1):
        assert len(schedules("list")[1].splitlines()) == 5


def test_preview_shows_the_next_slots_of_a_schedule_in_a_zone():
    schedule(IntervalSchedule.objects.create(every=6, period="hours"), made_at=timezone.now(), name="often")
    code, text = schedules("preview", "often", "--count", "3", "--tz", "Asia/Tokyo")
    lines = text.splitlines()
    assert (code, lines[0], len(lines)) == (0, "Every 6 hours", 4)
    assert all("JST" in line and line.endswith("UTC") for line in lines[1:])


def test_preview_of_a_cron_expression_uses_its_zone_and_warns_of_clock_changes():
    code, text = schedules("preview", "--cron", "30 2 * * *", "--tz", "America/New_York", "--count", "2")
    lines = text.splitlines()
    assert (code, lines[0]) == (0, "At 02:30 every day (America/New_York)")
    assert len([line for line in lines if " UTC" in line]) == 2
    assert "Mind the clocks: Sunday " in text
    assert "02:30 once, at 03:00." in text


def test_preview_of_an_interval_counts_from_now():
    code, text = schedules("preview", "--every", "90 min")
    assert (code, len(text.splitlines())) == (0, 11)
    assert text.startswith("Every 90 minutes\n")


def test_preview_of_a_schedule_that_has_ended_says_so():
    row = crontab_row("* * * * *")
    schedule(row, made_at=timezone.now(), name="over", expires=timezone.now() - timedelta(days=1))
    assert "It never fires again." in schedules("preview", "over")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["preview", "nothing"], "There is no schedule named 'nothing'."),
        (["preview", "--cron", "61 * * * *"], "minute: 61 is not among 0 to 59"),
        (["preview", "--cron", "@daily", "--tz", "Mars/Olympus"], "timezone: 'Mars/Olympus' is not the name"),
        (["preview", "--every", "soon"], "interval: 'soon' is not an interval"),
        (["preview", "--every", "1h", "--count", "0"], "use a number from 1 to 1000"),
        (["preview", "--every", "1h", "--cron", "@daily"], "not allowed with argument"),
        (["preview"], "is required"),
    ],
)
def test_a_refusal_says_what_is_wrong(arguments, message):
    with pytest.raises(CommandError) as refusal:
        schedules(*arguments)
    assert message in str(refusal.value)


def test_sync_writes_what_jobs_declare_once():
    code, text = schedules("sync")
    assert code == 0
    assert "testing.do_nothing\n" in text
    assert PeriodicTask.objects.filter(name="testing.do_nothing", interval__every=3600).exists()
    assert schedules("sync") == (0, "Nothing to do.\n")


def test_drift_is_exit_code_1_and_says_what_differs():
    sync.sync_schedules()
    assert schedules("drift") == (0, "Code and database agree.\n")
    PeriodicTask.objects.filter(name="testing.do_nothing").update(
        interval=IntervalSchedule.objects.create(every=2, period="hours")
    )
    assert schedules("drift") == (
        1,
        "testing.do_nothing: edited; code has every 3600 s, the database has every 7200 s\n",
    )
