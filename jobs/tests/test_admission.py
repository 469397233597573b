"""Limits of jobs: who waits, who goes, and that nothing leaks."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import Ignore
from django.db import connection, transaction
from django.utils import timezone

from jobs import admission, definitions, ledger, limits, reaper
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidLimit, LimitNotFound
from jobs.limits import Limits
from jobs.models import JobLimit, JobRun
from jobs.rates import Rate, parse_rate
from jobs.tests.test_slots import in_threads
from jobs.tests.workers import deliver, execute, give_body

Status = JobRun.Status
pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
JOB = "testing.add_numbers"


def ask(left: int = 1, *, job: str = JOB, **values: Any) -> JobRun:
    """Write a run and let the limits decide about it, as after a commit."""
    run = enqueue(get_job(job), {"left": left}, trigger=JobRun.Trigger.CODE)
    if values:
        JobRun.objects.filter(pk=run.pk).update(**values)
    admission.admit()
    run.refresh_from_db()
    return run


def start(run: JobRun) -> ledger.Claim:
    claim = ledger.claim(run.pk, worker="w@h", pid=1)
    assert claim is not None
    return claim


def end(claim: ledger.Claim) -> None:
    assert ledger.finish(claim.run_id, claim.attempt, ledger.Outcome(status=Status.SUCCEEDED))


def statuses(*runs: JobRun) -> list[str]:
    found = dict(JobRun.objects.values_list("pk", "status"))
    return [found[run.pk] for run in runs]


class TestPlaces:
    def test_a_job_without_limits_is_queued_at_once(self) -> None:
        run = ask()
        assert (run.status, run.limit_key, run.waits) == (Status.QUEUED, None, None)

    def test_a_run_without_a_place_waits_and_says_for_what(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        first, second = ask(), ask()
        assert statuses(first, second) == [Status.QUEUED, Status.WAITING]
        assert (second.waiting_for, second.published_at, second.publish_count) == ("limit", None, 0)
        assert second.waiting_since is not None
        assert ledger.claim(second.pk, worker="w", pid=1) is None

    def test_the_end_of_one_makes_room_for_the_oldest(self) -> None:
        limits.put(JOB, Limits(max_running=2), by=None)
        runs = [ask() for _ in range(4)]
        end(start(runs[0]))
        admission.admit()
        assert statuses(*runs) == [Status.SUCCEEDED, Status.QUEUED, Status.QUEUED, Status.WAITING]

    def test_the_most_urgent_goes_first(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        first, second, urgent = ask(), ask(), ask(priority=1)
        end(start(first))
        admission.admit()
        assert statuses(second, urgent) == [Status.WAITING, Status.QUEUED]

    def test_runs_with_the_same_key_wait_for_each_other_and_others_do_not(self) -> None:
        limits.put(JOB, Limits(key_by=("left",), max_running_per_key=1, max_running=3), by=None)
        runs = [ask(left) for left in (1, 1, 1, 2, 3, 4)]
        assert [run.limit_key for run in runs[:2]] == ["left=1", "left=1"]
        queued, waiting = Status.QUEUED, Status.WAITING
        assert statuses(*runs) == [queued, waiting, waiting, queued, queued, waiting]
        end(start(runs[0]))
        admission.admit()
        assert statuses(*runs) == [Status.SUCCEEDED, queued, waiting, queued, queued, waiting]

    def test_a_retry_gives_its_place_away_and_waits_for_one_again(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        first, second = ask(), ask()
        claim = start(first)
        JobRun.objects.filter(pk=first.pk).update(max_attempts=2)
        assert ledger.retry_later(
            first.pk, claim.attempt, ledger.Outcome(status=Status.FAILED), delay_seconds=0
        )
        admission.admit()
        assert statuses(first, second) == [Status.RETRYING, Status.QUEUED]
        reaper.promote_retries()
        admission.admit()
        assert statuses(first, second) == [Status.WAITING, Status.QUEUED]
        end(start(second))
        admission.admit()
        assert statuses(first) == [Status.QUEUED]
        first.refresh_from_db()
        assert first.waits is not None
        assert set(first.waits) == {"limit"}

    def test_a_lost_worker_leaks_no_place(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        first, second = ask(), ask()
        JobRun.objects.filter(pk=first.pk).update(max_attempts=1)
        start(first)
        admission.admit()
        assert statuses(second) == [Status.WAITING]
        JobRun.objects.filter(pk=first.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        reaper.recover_lost()
        admission.admit()
        assert statuses(first, second) == [Status.FAILED, Status.QUEUED]

    def test_a_run_that_waits_can_be_cancelled_and_purged(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        _, second, third = ask(), ask(), ask()
        assert ledger.cancel(second.pk, by=None).status == Status.CANCELLED
        ledger.cancel_waiting("default", reason="purged")
        assert statuses(third) == [Status.CANCELLED]

    def test_a_worker_lets_the_next_one_through(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        first, second = ask(), ask()
        give_body(monkeypatch, JOB, lambda run, **kwargs: None)
        execute(first)
        assert statuses(first, second) == [Status.SUCCEEDED, Status.QUEUED]

    def test_a_message_sent_with_celerys_own_means_waits_too(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        ask()
        run_id = uuid.uuid4()
        with pytest.raises(Ignore):
            deliver(JOB, str(run_id), {"left": 1}, is_ours=False)
        assert JobRun.objects.get(pk=run_id).status == Status.WAITING

    @committed
    def test_whoever_asks_gets_a_free_place_right_after_the_commit(self, sent: list[str]) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        with transaction.atomic():
            first = get_job(JOB).enqueue(left=1)
            second = get_job(JOB).enqueue(left=2)
            assert sent == []
        assert sent == [str(first.pk)]
        assert statuses(first, second) == [Status.QUEUED, Status.WAITING]

    @committed
    def test_many_at_once_never_exceed_the_limit(self) -> None:
        limits.put(JOB, Limits(max_running=3), by=None)
        for _ in range(20):
            get_job(JOB).enqueue(left=1)
        most = []

        def work() -> None:
            for _ in range(15):
                admission.admit()
                active = JobRun.objects.filter(status__in=[Status.QUEUED, Status.RUNNING])
                most.append(active.count())
                run = JobRun.objects.filter(status=Status.QUEUED).order_by("?").first()
                claim = run and ledger.claim(run.pk, worker="w", pid=1)
                if claim:
                    end(claim)

        assert in_threads(*[work] * 4) == []
        while JobRun.objects.filter(status__in=Status.active()).exists():
            work()
        assert max(most) <= 3
        assert JobRun.objects.filter(status=Status.SUCCEEDED).count() == 20


class TestRates:
    def test_so_many_start_within_the_time_and_no_more(self) -> None:
        limits.put(JOB, Limits(rate=parse_rate("2/m")), by=None)
        runs = [ask() for _ in range(3)]
        for run in runs[:2]:
            end(start(run))
        admission.admit()
        assert statuses(*runs) == [Status.SUCCEEDED, Status.SUCCEEDED, Status.WAITING]
        JobRun.objects.filter(pk=runs[0].pk).update(started_at=timezone.now() - timedelta(seconds=61))
        admission.admit()
        assert statuses(runs[2]) == [Status.QUEUED]

    def test_runs_that_wait_for_a_worker_count_so_that_nothing_bursts_after_an_outage(self) -> None:
        limits.put(JOB, Limits(rate=parse_rate("2/s")), by=None)
        runs = [ask() for _ in range(5)]
        JobRun.objects.update(published_at=timezone.now() - timedelta(hours=1))
        admission.admit()
        assert statuses(*runs).count(Status.QUEUED) == 2

    @pytest.mark.parametrize(
        ("text", "rate"),
        [
            ("10/m", Rate(10, 60)),
            ("1 / s", Rate(1, 1)),
            ("5/30s", Rate(5, 30)),
            ("1000/day", Rate(1000, 86_400)),
            ("3/2h", Rate(3, 7200)),
        ],
    )
    def test_rates_are_read_as_people_write_them(self, text: str, rate: Rate) -> None:
        assert parse_rate(text) == rate
        assert parse_rate(str(rate)) == rate

    @pytest.mark.parametrize(
        "text", ["", "10", "10/", "/m", "0/m", "10/0s", "10/x", "10/40d", "-1/m", "1/m/m"]
    )
    def test_what_is_no_rate_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="rate"):
            parse_rate(text)


class TestEditing:
    def test_raising_a_limit_lets_those_through_that_wait(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        runs = [ask() for _ in range(3)]
        limits.put(JOB, Limits(max_running=2), by=None)
        assert statuses(*runs).count(Status.QUEUED) == 2

    def test_lifting_it_lets_all_through(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        runs = [ask() for _ in range(3)]
        limits.remove(JOB, by=None)
        assert statuses(*runs) == [Status.QUEUED] * 3

    def test_a_row_deleted_by_other_means_strands_nobody(self) -> None:
        limits.put(JOB, Limits(max_running=1), by=None)
        runs = [ask() for _ in range(3)]
        JobLimit.objects.all().delete()
        admission.admit()
        assert statuses(*runs) == [Status.QUEUED] * 3

    def test_a_new_limit_counts_what_runs_already(self) -> None:
        first = ask()
        start(first)
        limits.put(JOB, Limits(max_running=1), by=None)
        assert ask().status == Status.WAITING

    def test_a_changed_key_counts_all_by_the_new_one(self) -> None:
        limits.put(JOB, Limits(key_by=("left",), max_running_per_key=1), by=None)
        first, second = ask(1), ask(2)
        limits.put(JOB, Limits(key_by=("right",), max_running_per_key=2), by=None)
        assert statuses(first, second, ask(3)) == [Status.QUEUED, Status.QUEUED, Status.WAITING]

    @pytest.mark.parametrize(
        ("job", "wrong", "field"),
        [
            ("nobodys.job", Limits(max_running=1), "job"),
            (JOB, Limits(max_running=0), "max_running"),
            (JOB, Limits(key_by=("left",)), "key_by"),
            (JOB, Limits(max_running_per_key=1), "key_by"),
            (JOB, Limits(key_by=("nothing",), max_running_per_key=1), "key_by"),
            (JOB, Limits(key_by=("left", "left"), max_running_per_key=1), "key_by"),
            (JOB, Limits(rate=Rate(0, 60)), "rate"),
        ],
    )
    def test_wrong_limits_are_refused_by_field(self, job: str, wrong: Limits, field: str) -> None:
        with pytest.raises(InvalidLimit) as refused:
            limits.put(job, wrong, by=None)
        assert list(refused.value.fields) == [field]

    def test_lifting_what_is_not_there_is_refused(self) -> None:
        with pytest.raises(LimitNotFound):
            limits.remove(JOB, by=None)


class TestDeclaredByCode:
    @pytest.fixture(autouse=True)
    def declared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.declare(monkeypatch, rate="10/m")

    def declare(self, monkeypatch: pytest.MonkeyPatch, *, rate: str) -> None:
        job = replace(
            get_job(JOB), concurrency=definitions.at_most(1, per="left", in_all=5), rate=parse_rate(rate)
        )
        monkeypatch.setitem(definitions._registry, JOB, job)

    def test_sync_brings_them_in_once(self) -> None:
        assert [name for name in limits.sync() if name.startswith("testing.")] == [JOB]
        assert str(limits.of_row(limits.get(JOB))) == "5 at a time; 1 at a time for each left; 10/m started"
        assert limits.sync() == []
        assert limits.drift() == []

    def test_sync_follows_the_code_while_nobody_edits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limits.sync()
        self.declare(monkeypatch, rate="20/m")
        assert limits.sync() == [JOB]
        assert limits.of_row(limits.get(JOB)).rate == Rate(20, 60)

    def test_an_operators_edit_survives_every_sync_and_drift_tells(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limits.sync()
        limits.put(JOB, Limits(max_running=9), by=None)
        self.declare(monkeypatch, rate="20/m")
        assert limits.sync() == []
        ((job, kind, in_code, in_database),) = limits.drift()
        assert (job, kind, in_database) == (JOB, "limits edited", "9 at a time")
        assert in_code.startswith("5 at a time")

    def test_they_cannot_be_deleted_only_emptied(self) -> None:
        limits.sync()
        with pytest.raises(IllegalState):
            limits.remove(JOB, by=None)
        limits.put(JOB, Limits(), by=None)
        assert ask().status == Status.QUEUED

    def test_a_key_that_is_no_parameter_is_refused_at_import(self) -> None:
        with pytest.raises(TypeError, match="per colour"):

            @definitions.job("testing.wrong_key", title="x", concurrency=definitions.at_most(1, per="colour"))
            def wrong_key(run: Any) -> None:
                """Nothing."""


def test_a_long_key_is_kept_apart_by_its_digest() -> None:
    with connection.cursor() as cursor:
        keys = []
        for end_of_text in ("a", "b"):
            text = "x" * 500 + end_of_text
            cursor.execute("SELECT jobs_limit_key(jsonb_build_object('t', %s::text), ARRAY['t'])", [text])
            keys.append(cursor.fetchone()[0])
    assert keys[0] != keys[1]
    assert max(map(len, keys)) <= 200
