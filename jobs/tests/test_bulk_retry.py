"""Making many failures again: planned, edited, spread, and each once."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.utils import timezone

from jobs import delays, reaper
from jobs.deadletters import causes, retrying
from jobs.deadletters.retrying import Wish
from jobs.definitions import retry_run
from jobs.errors import InvalidInput
from jobs.models import AuditEvent, JobRun, ProcessHeartbeat, visibility_of
from jobs.tests.test_deadletters import failed
from jobs.tests.workers import execute

pytestmark = pytest.mark.django_db
Status = JobRun.Status


@pytest.fixture
def ada():
    return User.objects.create_user("ada")


def retries():
    return list(JobRun.objects.filter(trigger="retry").order_by("next_attempt_at", "pk"))


def test_a_plan_changes_nothing_and_tells_what_would_run():
    runs = [failed() for _ in range(3)]
    retry_run(failed(), by=None)
    before = JobRun.objects.count()
    plan = retrying.plan(Wish(fingerprint="aaaa"))
    assert JobRun.objects.count() == before
    assert {one.run.pk for one in plan.again} == {run.pk for run in runs}
    assert [one.parameters for one in plan.again] == [one.run.parameters | {"right": 1} for one in plan.again]
    assert (plan.already, plan.refused, plan.has_more) == (1, [], False)


def test_parameters_that_do_not_fit_are_told_and_left_out(ada):
    failed(parameters={"left": 1})
    failed(parameters={"left": "many"})
    failed(parameters={"left": 1, "gone": 2})
    plan = retrying.plan(Wish(fingerprint="aaaa"))
    assert len(plan.again) == 1
    assert sorted(name for one in plan.refused for name in one.fields) == ["gone", "left"]
    assert [number for _, number in plan.problems] == [1, 1]
    done = retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    assert (len(done.runs), len(done.refused)) == (1, 2)


def test_a_job_that_is_gone_is_refused():
    failed(job="testing.gone")
    plan = retrying.plan(Wish(fingerprint="aaaa"))
    assert plan.problems == [("job: There is no job named testing.gone any more.", 1)]


def test_edited_parameters_apply_to_all_and_the_others_stay(ada):
    runs = [failed(), failed()]
    retrying.carry_out(Wish(fingerprint="aaaa", overrides={"right": 7}), by=ada)
    expected = [{"left": run.parameters["left"], "right": 7} for run in runs]
    assert sorted([run.parameters for run in retries()], key=str) == sorted(expected, key=str)


def test_an_edit_can_mend_what_did_not_fit(ada):
    failed(parameters={"left": "many"})
    assert len(retrying.carry_out(Wish(fingerprint="aaaa", overrides={"left": 5}), by=ada).runs) == 1


def test_starts_are_spread(ada):
    for _ in range(4):
        failed()
    wish = Wish(fingerprint="aaaa", per_minute=2)
    assert retrying.plan(wish).spread_seconds == 90
    before = timezone.now()
    done = retrying.carry_out(wish, by=ada)
    moments = [run.next_attempt_at for run in retries()]
    assert [run.status for run in retries()] == [Status.RETRYING] * 4
    assert [later - moments[0] for later in moments] == [timedelta(seconds=30 * n) for n in range(4)]
    assert before <= moments[0] <= timezone.now()
    assert done.last_start_at == moments[-1]


def test_one_that_is_due_runs_and_tells_why_it_waited(ada):
    failed()
    failed()
    retrying.carry_out(Wish(fingerprint="aaaa", per_minute=1), by=ada)
    assert reaper.promote_retries() == 1
    first, second = sorted(retries(), key=lambda run: run.status)
    assert (first.status, second.status) == (Status.QUEUED, Status.RETRYING)
    assert execute(first).status == Status.SUCCEEDED
    parts = delays.of_run(second, second.queued_at + timedelta(seconds=30)).parts
    assert [part.kind for part in parts] == [delays.Kind.SPREAD]
    assert parts[0].sentence.startswith("Held back for 30 s")


def test_without_a_rate_all_start_at_once(ada):
    for _ in range(3):
        failed()
    retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    assert reaper.promote_retries() == 3


def test_a_second_click_makes_nothing_again(ada):
    failed()
    assert len(retrying.carry_out(Wish(fingerprint="aaaa"), by=ada).runs) == 1
    again = retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    assert (again.runs, again.overtaken) == ([], 0)
    assert len(retries()) == 1


def test_a_failure_that_somebody_made_again_by_hand_is_left_alone(ada):
    retry_run(failed(), by=ada)
    assert retrying.carry_out(Wish(fingerprint="aaaa"), by=ada).runs == []


def test_the_database_refuses_what_two_saw_at_the_same_time(ada, monkeypatch):
    """Both looked before either wrote: only the unique key is left to stop the second."""
    one = failed()
    everything = JobRun.objects.all()
    retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    monkeypatch.setattr(retrying, "_chosen", lambda wish: ([one.pk], False))
    monkeypatch.setattr(retrying, "_not_again", lambda ids: everything.filter(pk__in=ids))
    done = retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    assert (done.runs, done.overtaken) == ([], 1)
    assert len(retries()) == 1


@pytest.mark.django_db(transaction=True)
def test_many_clicks_at_once_make_each_failure_again_once():
    for _ in range(30):
        failed()
    barrier = threading.Barrier(4)
    made = []

    def click():
        barrier.wait()
        made.extend(retrying.carry_out(Wish(fingerprint="aaaa"), by=None).runs)
        connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(made) == len(set(made)) == len(retries())
    assert JobRun.objects.filter(status="failed").exclude(retries__isnull=False).count() == 30 - len(made)
    retrying.carry_out(Wish(fingerprint="aaaa"), by=None)
    assert len({run.retry_of_id for run in retries()}) == len(retries()) == 30


def test_a_bound_keeps_one_call_short(ada, monkeypatch):
    monkeypatch.setattr(retrying, "MOST", 2)
    oldest, _, _ = failed(ago=90), failed(ago=80), failed(ago=70)
    assert retrying.plan(Wish(fingerprint="aaaa")).has_more
    done = retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    assert (len(done.runs), done.has_more) == (2, True)
    assert oldest.retries.exists()
    assert len(retrying.carry_out(Wish(fingerprint="aaaa"), by=ada).runs) == 1


def test_some_can_be_chosen_by_id(ada):
    one, _ = failed("aaaa"), failed("bbbb")
    assert len(retrying.carry_out(Wish(run_ids=[one.pk]), by=ada).runs) == 1
    assert retrying.carry_out(Wish(run_ids=[one.pk], fingerprint="bbbb"), by=ada).runs == []


def test_runs_of_other_groups_are_left_alone(ada):
    failed(owner_group=Group.objects.create(name="theirs"))
    mine = failed()
    done = retrying.carry_out(Wish(fingerprint="aaaa", seen=visibility_of(ada)), by=ada)
    assert [run.retry_of_id for run in retries()] == [mine.pk]
    assert len(done.runs) == 1


def test_the_time_it_takes_comes_from_history_and_workers():
    for _ in range(10):
        failed()
    wish = Wish(fingerprint="aaaa", per_minute=60)
    assert retrying.plan(wish).total_seconds is None
    now = timezone.now()
    JobRun.objects.create(
        job="testing.add_numbers",
        queue="default",
        trigger="code",
        status=Status.SUCCEEDED,
        queued_at=now,
        started_at=now,
        finished_at=now + timedelta(seconds=20),
    )
    info = {"queues": ["default"], "concurrency": 2}
    ProcessHeartbeat.objects.create(kind="worker", name="w", pid=1, started_at=now, seen_at=now, info=info)
    assert retrying.plan(wish).total_seconds == pytest.approx(10 * 20 / 2 + 20)


def test_it_leaves_an_audit_row(ada):
    failed()
    retrying.carry_out(Wish(fingerprint="aaaa", overrides={"right": 2}, per_minute=5), by=ada)
    told = AuditEvent.objects.get(subject="failure aaaa")
    assert told.message == "Made 1 failed runs again, with right changed, 5 a minute."


@pytest.mark.parametrize("per_minute", [0, -1, 6001])
def test_a_rate_that_makes_no_sense_is_refused(per_minute):
    with pytest.raises(InvalidInput, match="per_minute"):
        retrying.plan(Wish(fingerprint="aaaa", per_minute=per_minute))


def test_a_wish_names_something():
    with pytest.raises(InvalidInput, match="fingerprint"):
        retrying.carry_out(Wish(), by=None)


def test_retries_that_succeed_make_the_cause_handled(ada):
    failed()
    retrying.carry_out(Wish(fingerprint="aaaa"), by=ada)
    reaper.promote_retries()
    execute(retries()[0])
    assert causes.get("aaaa").state == causes.State.HANDLED
    assert causes.get("aaaa").recovered == 1
