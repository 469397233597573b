"""Deadlines that will be missed, told beforehand."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from jobs import definitions, prediction
from jobs.definitions import get_job
from jobs.models import JobRun, ProcessHeartbeat, SchedulePolicy, visibility_of
from jobs.prediction import Due
from jobs.tests.schedules_for_tests import crontab_row, schedule, tick

pytestmark = pytest.mark.django_db
Status = JobRun.Status
JOB = "testing.add_numbers"


def worker(places: int = 1, queues: tuple[str, ...] = ("default",)) -> None:
    now = timezone.now()
    info = {"queues": list(queues), "concurrency": places}
    ProcessHeartbeat.objects.create(kind="worker", name="w", pid=1, started_at=now, seen_at=now, info=info)


def took(seconds: float, times: int = 10, **values: object) -> None:
    """Runs that succeeded after so many seconds, a day ago."""
    start = timezone.now() - timedelta(days=1)
    for _ in range(times):
        given = {
            "status": Status.SUCCEEDED,
            "started_at": start,
            "finished_at": start + timedelta(seconds=seconds),
        }
        a_run(**{**given, **values})


def a_run(**values: object) -> JobRun:
    now = timezone.now()
    given = {
        "job": JOB,
        "queue": "default",
        "trigger": "code",
        "queued_at": now,
        "first_published_at": now,
        **values,
    }
    return JobRun.objects.create(**given)


def nightly(deadline: float | None, name: str = "nightly", *, minutes: int = 30) -> SchedulePolicy:
    """A daily schedule whose next slot comes in so many minutes."""
    now = timezone.now()
    slot = now + timedelta(minutes=minutes)
    task = schedule(
        crontab_row(f"{slot.minute} {slot.hour} * * *"), made_at=now - timedelta(hours=1), name=name
    )
    tick(now)
    SchedulePolicy.objects.filter(pk=task.pk).update(deadline_seconds=deadline)
    return SchedulePolicy.objects.get(pk=task.pk)


def at_risk() -> list[prediction.Prediction]:
    return [one for one in prediction.held(timezone.now()) if one.will_be_late]


def only(found: list[prediction.Prediction]) -> prediction.Prediction:
    assert len(found) == 1
    return found[0]


class TestComingSlots:
    def test_one_that_usually_takes_longer_than_it_may_will_be_late(self):
        worker()
        took(3600)
        policy = nightly(deadline=1800)
        found = only(prediction.predict(timezone.now()))
        assert (found.run_id, found.schedule_name, found.slot) == (None, "nightly", policy.next_slot_at)
        assert (found.due, found.will_be_late, found.chance) == (Due.DEADLINE, True, 1.0)
        slot = policy.next_slot_at
        assert slot is not None
        assert found.due_at == slot + timedelta(seconds=1800)
        assert found.end_p50 == slot + timedelta(seconds=3600)
        assert found.reason.startswith("It usually runs for 1 h, its deadline is in")

    def test_one_with_time_to_spare_will_not(self):
        worker()
        took(60)
        nightly(deadline=1800)
        found = only(prediction.predict(timezone.now()))
        assert (found.will_be_late, found.chance) == (False, 0.0)
        assert at_risk() == []

    def test_the_load_of_the_queue_counts(self):
        """Alone it would be in time; behind four others on one place it is not."""
        worker(places=1)
        took(600)
        for number in range(4):
            nightly(deadline=None, name=f"other {number}", minutes=29)
        nightly(deadline=1200, minutes=30)
        late = only(at_risk())
        assert late.schedule_name == "nightly"
        assert "it will wait" in late.reason.lower()
        ProcessHeartbeat.objects.update(info={"queues": ["default"], "concurrency": 5})
        assert at_risk() == []

    def test_the_chance_is_the_share_of_earlier_runs_that_took_too_long(self):
        worker()
        took(60, times=30)
        took(7200, times=10)
        nightly(deadline=1800)
        found = only(prediction.predict(timezone.now()))
        assert found.chance == pytest.approx(0.25, abs=0.12)
        assert not found.will_be_late

    def test_without_a_worker_a_deadline_is_missed(self):
        took(60)
        nightly(deadline=1800)
        found = only(prediction.predict(timezone.now()))
        assert (found.chance, found.end_p50) == (1.0, None)
        assert found.reason == "No living worker takes from the queue default."

    def test_the_history_of_the_schedule_itself_counts_most(self):
        worker()
        took(60, times=20)
        policy = nightly(deadline=1800)
        took(3600, times=6, schedule_id=policy.pk)
        assert only(prediction.predict(timezone.now())).will_be_late

    def test_paused_and_disabled_schedules_have_none(self):
        worker()
        took(3600)
        policy = nightly(deadline=60)
        SchedulePolicy.objects.filter(pk=policy.pk).update(paused_at=timezone.now())
        assert prediction.predict(timezone.now()) == []

    def test_slots_beyond_the_horizon_are_left_out(self):
        worker()
        nightly(deadline=60)
        assert prediction.predict(timezone.now(), horizon=timedelta(minutes=10)) == []
        assert len(prediction.predict(timezone.now(), horizon=timedelta(hours=49))) == 3

    def test_those_of_other_groups_are_played_but_not_told(self):
        worker()
        took(600)
        policy = nightly(deadline=60)
        SchedulePolicy.objects.filter(pk=policy.pk).update(owner_group=Group.objects.create(name="theirs"))
        assert prediction.predict(timezone.now(), seen=visibility_of(User.objects.create_user("ada"))) == []


class TestRuns:
    def held(self, deadline: float, *, since: float, **values: object) -> JobRun:
        """A run of a schedule with a deadline, whose slot was so many seconds ago."""
        policy = nightly(deadline)
        slot = timezone.now() - timedelta(seconds=since)
        return a_run(schedule_id=policy.pk, scheduled_for=slot, trigger="schedule", **values)

    def one(self, run: JobRun, at: datetime | None = None) -> prediction.Prediction:
        found = prediction.of_run(run, at or timezone.now())
        assert found is not None
        return found

    def running(self, deadline: float, *, since: float, **values: object) -> JobRun:
        start = timezone.now() - timedelta(seconds=since)
        return self.held(
            deadline, since=since, status=Status.RUNNING, attempt=1, worker="w", started_at=start, **values
        )

    def test_a_running_one_is_late_before_its_deadline_when_it_will_miss_it(self):
        worker()
        took(3600)
        run = self.running(600, since=60)
        found = self.one(run)
        assert found.will_be_late
        assert found.due_at is not None
        assert found.due_at > timezone.now()
        assert found.reason.startswith("It still needs 59 min")

    def test_progress_that_goes_well_takes_the_warning_back(self):
        worker()
        took(3600)
        run = self.running(600, since=300, progress=95)
        assert not self.one(run).will_be_late

    def test_one_that_missed_it_is_certainly_late(self):
        worker()
        took(60)
        found = self.one(self.running(600, since=900))
        assert found.chance == 1.0
        assert "its deadline was 5 min" in found.reason

    def test_a_waiting_one_is_late_when_too_many_are_ahead(self):
        worker()
        took(300)
        for _ in range(5):
            a_run()
        assert self.one(self.held(600, since=0)).will_be_late

    def test_without_a_deadline_nothing_is_late(self):
        worker()
        took(300)
        found = self.one(a_run())
        assert (found.due, found.due_at, found.chance) == (None, None, 0.0)

    def test_an_ended_one_has_no_prediction(self):
        run = a_run(status=Status.SUCCEEDED, finished_at=timezone.now())
        assert prediction.of_run(run, timezone.now()) is None


def test_a_job_may_expect_a_duration(monkeypatch):
    worker()
    took(600)
    job = replace(get_job(JOB), expected_duration=120)
    monkeypatch.setitem(definitions._registry, JOB, job)
    assert not prediction.is_needed()
    run = a_run(
        status=Status.RUNNING, attempt=1, worker="w", started_at=timezone.now() - timedelta(seconds=10)
    )
    assert prediction.is_needed()
    found = prediction.of_run(run, timezone.now())
    assert found is not None
    assert (found.due, found.will_be_late) == (Due.EXPECTED, True)
    assert "the end of its expected duration is in 1 min 50 s" in found.reason


def test_it_is_needed_only_where_something_has_a_deadline():
    assert not prediction.is_needed()
    nightly(deadline=None)
    assert not prediction.is_needed()
    nightly(deadline=60, name="another")
    assert prediction.is_needed()


def test_the_queries_do_not_grow_with_schedules_and_runs(django_assert_max_num_queries):
    worker()
    took(10)
    for number in range(10):
        nightly(60, name=f"schedule {number}")
        a_run()
    with django_assert_max_num_queries(10):
        assert len(prediction.predict(timezone.now())) == 20
