"""Slots of a span that has passed run after all, or once more: each once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from jobs import backfill
from jobs.backfill import Which
from jobs.errors import InvalidInput
from jobs.models import AuditEvent, JobRun, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import crontab_row, schedule, tick

pytestmark = pytest.mark.django_db

Status = JobRun.Status
MINUTE = timedelta(minutes=1)
NOW = timezone.now().replace(minute=35, second=0, microsecond=0) - timedelta(days=1)


@pytest.fixture
def ten_minutely() -> Schedule:
    """A schedule of every ten minutes: made 25 minutes ago, its slot 15 minutes ago was missed, the last one runs."""
    task = schedule(crontab_row("*/10 * * * *"), made_at=NOW - 25 * MINUTE)
    SchedulePolicy.objects.filter(pk=task.pk).update(catch_up="last")
    tick(NOW)
    made: Schedule = Schedule.objects.get(pk=task.pk)
    return made


def statuses(task: Schedule) -> list[str]:
    return list(
        JobRun.objects.filter(schedule_id=task.pk, scheduled_for__isnull=False)
        .order_by("scheduled_for")
        .values_list("status", flat=True)
    )


def the_hour(task: Schedule, which: str = Which.NEVER_RAN) -> dict[str, Any]:
    return {"start": NOW - 60 * MINUTE, "end": NOW, "which": which, "now": NOW}


def end_as(task: Schedule, status: Status) -> None:
    JobRun.objects.filter(schedule_id=task.pk, status=Status.QUEUED).update(status=status)


def test_the_plan_tells_what_the_span_holds_and_changes_nothing(ten_minutely):
    plan = backfill.plan(ten_minutely, **the_hour(ten_minutely))
    assert plan.found == {"no row": 4, "skipped": 1, "queued": 1}
    assert [f"{at:%M}" for at in plan.slots] == ["40", "50", "00", "10", "20"]
    assert plan.again == ()
    assert statuses(ten_minutely) == [Status.SKIPPED, Status.QUEUED]


def test_slots_that_never_ran_run_and_keep_their_one_row(ten_minutely):
    user = User.objects.create(username="ada")
    made = backfill.carry_out(ten_minutely, **the_hour(ten_minutely), by=user)
    assert len(made) == 5
    assert statuses(ten_minutely) == [Status.QUEUED] * 6
    assert JobRun.objects.filter(pk__in=made, requested_by=user).count() == 5
    assert "Backfilled 5 slots" in AuditEvent.objects.latest("pk").message


def test_a_second_backfill_finds_nothing_left(ten_minutely):
    backfill.carry_out(ten_minutely, **the_hour(ten_minutely), by=None)
    assert backfill.carry_out(ten_minutely, **the_hour(ten_minutely), by=None) == []


def test_failed_slots_are_made_again_once_when_asked_for(ten_minutely):
    end_as(ten_minutely, Status.FAILED)
    [failed] = JobRun.objects.filter(status=Status.FAILED)
    assert backfill.plan(ten_minutely, **the_hour(ten_minutely)).again == ()
    made = backfill.carry_out(ten_minutely, **the_hour(ten_minutely, Which.FAILED), by=None)
    assert JobRun.objects.get(retry_of=failed).pk in made
    assert backfill.carry_out(ten_minutely, **the_hour(ten_minutely, Which.FAILED), by=None) == []


def test_slots_that_succeeded_are_made_again_only_with_all(ten_minutely):
    end_as(ten_minutely, Status.SUCCEEDED)
    [done] = JobRun.objects.filter(status=Status.SUCCEEDED)
    assert backfill.plan(ten_minutely, **the_hour(ten_minutely, Which.FAILED)).again == ()
    assert backfill.plan(ten_minutely, **the_hour(ten_minutely, Which.ALL)).again == (done.pk,)


def test_a_slot_under_way_is_left_alone(ten_minutely):
    end_as(ten_minutely, Status.RUNNING)
    assert backfill.plan(ten_minutely, **the_hour(ten_minutely, Which.ALL)).again == ()


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (NOW, NOW + MINUTE, "passed"),
        (NOW, NOW, "after the start"),
        (NOW - timedelta(days=30), NOW, "more than 1,000 slots"),
    ],
)
def test_a_span_that_makes_no_sense_is_refused(ten_minutely, start, end, reason):
    with pytest.raises(InvalidInput, match=reason):
        backfill.plan(ten_minutely, start=start, end=end, which=Which.NEVER_RAN, now=NOW)


def test_parameters_that_do_not_fit_any_more_refuse_all_of_it(ten_minutely):
    JobRun.objects.filter(schedule_id=ten_minutely.pk, status=Status.QUEUED).update(
        status=Status.FAILED, parameters={"left": "x"}
    )
    with pytest.raises(InvalidInput, match=r"parameters\.left"):
        backfill.carry_out(ten_minutely, **the_hour(ten_minutely, Which.FAILED), by=None)
    assert statuses(ten_minutely) == [Status.SKIPPED, Status.FAILED]


def test_the_api_tells_first_and_does_it_then(ten_minutely, make_client):
    client = make_client("run_schedule", "view_schedule")
    address = reverse("api:schedule-backfill", args=[ten_minutely.pk])
    body = {"start": (NOW - 60 * MINUTE).isoformat(), "end": NOW.isoformat()}
    told = client.post(address, body | {"dry_run": True}, format="json")
    assert (told.status_code, told.json()["count"], told.json()["runs"]) == (200, 5, [])
    done = client.post(address, body, format="json")
    assert (done.status_code, len(done.json()["runs"])) == (202, 5)
    wrong = client.post(address, body | {"end": "2999-01-01T00:00:00Z"}, format="json")
    assert (wrong.status_code, list(wrong.json()["fields"])) == (400, ["end"])


def test_the_command_tells_first_and_does_it_then(ten_minutely, capsys):
    span = ("--from", f"{NOW - 60 * MINUTE:%Y-%m-%dT%H:%M}", "--to", f"{NOW:%Y-%m-%dT%H:%M}")
    call_command("schedules", "backfill", "the schedule", *span, "--dry-run")
    assert "5 would run." in capsys.readouterr().out
    call_command("schedules", "backfill", "the schedule", *span)
    assert "5 runs made." in capsys.readouterr().out
    with pytest.raises(CommandError, match="no schedule named 'x'"):
        call_command("schedules", "backfill", "x", *span)
