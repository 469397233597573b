"""Back to an earlier version: a change like any other, that never fires the past."""

from dataclasses import replace

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from jobs import rollback, schedules, versions
from jobs.errors import IllegalState, InvalidParameters, InvalidSchedule
from jobs.models import Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.tests.test_versions import commit
from jobs.when import When, when_of

pytestmark = pytest.mark.django_db

WISH = Wish(
    name="Sums",
    job="testing.add_numbers",
    when=When(cron="0 9 * * *", timezone="Europe/London"),
    parameters={"left": 1},
)
KINDS = [
    When(cron="*/5 9-17 * * mon-fri", timezone="America/New_York"),
    When(interval="every 15 minutes"),
    When(solar=("sunset", 52.5, 13.4)),
]


@pytest.fixture
def changed():
    """Version 1 is the wish, version 2 something else in every respect."""
    schedule = schedules.create(WISH, by=None)
    other = replace(
        WISH,
        name="Other sums",
        when=When(interval="2 hours"),
        parameters={"left": 2},
        description="Changed",
        catch_up="all",
        catch_up_window_seconds=60,
    )
    return schedules.change(schedule, other, by=None)


def again(schedule):
    return Schedule.objects.select_related("policy").get(pk=schedule.pk)


def test_everything_is_as_it_was_and_that_is_a_new_version(changed):
    ada = User.objects.create(username="ada")
    made = rollback.roll_back(changed, 1, by=ada)
    commit()
    assert (made.number, made.by, made.note) == (3, ada, "Rolled back to version 1.")
    assert made.snapshot == versions.get(changed, 1).snapshot
    assert replace(schedules.wish_of(again(changed)), policies=WISH.policies) == WISH.__class__(
        **{**vars(WISH), "parameters": {"left": 1, "right": 1}}
    )
    assert LogEntry.objects.get().get_change_message() == "Rolled back to version 1."


@pytest.mark.parametrize("when", KINDS, ids=["cron", "interval", "solar"])
def test_every_kind_of_timing_comes_back(when):
    schedule = schedules.create(replace(WISH, when=when), by=None)
    before = when_of(again(schedule))
    schedules.change(schedule, WISH, by=None)
    rollback.roll_back(schedule, 1, by=None)
    assert when_of(again(schedule)) == before


def test_a_timing_that_was_edited_for_others_too_is_made_again(changed):
    CrontabSchedule.objects.update(hour="23")
    rollback.roll_back(changed, 1, by=None)
    assert again(changed).crontab.hour == "9"


def test_it_is_planned_from_now_on(changed):
    SchedulePolicy.objects.filter(pk=changed.pk).update(is_stale=False)
    rollback.roll_back(changed, 1, by=None)
    assert again(changed).policy.is_stale


def test_it_stays_switched_off_and_paused(changed):
    schedules.set_enabled(changed, False, by=None)
    schedules.pause(changed, note="moving", by=None)
    rollback.roll_back(changed, 1, by=None)
    assert not again(changed).enabled
    assert again(changed).policy.pause_note == "moving"


def test_the_present_version_is_refused(changed):
    with pytest.raises(IllegalState, match="as it was in version 2"):
        rollback.roll_back(changed, 2, by=None)


def test_a_version_whose_job_is_gone_is_refused():
    task = PeriodicTask.objects.create(
        name="old", task="gone.away", crontab=CrontabSchedule.objects.create(hour="1")
    )
    commit()
    PeriodicTask.objects.filter(pk=task.pk).update(task="testing.add_numbers")
    with pytest.raises(IllegalState, match="No task named gone"):
        rollback.roll_back(Schedule.objects.get(pk=task.pk), 1, by=None)


@pytest.mark.parametrize(
    ("kwargs", "error"),
    [("[1]", InvalidSchedule), ("{", InvalidSchedule), ('{"centre": 2}', InvalidParameters)],
)
def test_a_version_whose_parameters_do_not_fit_is_refused(changed, kwargs, error):
    PeriodicTask.objects.filter(pk=changed.pk).update(kwargs=kwargs)
    commit()
    PeriodicTask.objects.filter(pk=changed.pk).update(kwargs='{"left": 5}')
    with pytest.raises(error):
        rollback.roll_back(changed, 3, by=None)
    assert again(changed).kwargs == '{"left": 5}'


def test_a_name_that_is_taken_by_now_is_refused(changed):
    schedules.create(WISH, by=None)
    with pytest.raises(InvalidSchedule, match="another schedule named Sums"):
        rollback.roll_back(changed, 1, by=None)
    assert again(changed).name == "Other sums"


def test_the_first_version_replaced_none(changed):
    first, second = versions.get(changed, 1), versions.get(changed, 2)
    assert versions.before(first) is None
    assert versions.before(second) == first
