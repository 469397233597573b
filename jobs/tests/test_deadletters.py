"""Failures by cause, and what people decide about them."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from jobs import deadletters
from jobs.deadletters import causes, decisions
from jobs.deadletters.causes import State, UnknownCause, Wanted
from jobs.definitions import retry_run
from jobs.errors import IllegalState, InvalidInput
from jobs.models import AuditEvent, FailureDecision, JobRun, visibility_of
from jobs.tests.schedules_for_tests import at, crontab_row, schedule
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
Status = JobRun.Status
_numbers = count(1)


def failed(fingerprint: str = "aaaa", *, ago: float = 60, **values: object) -> JobRun:
    """A run that failed so many seconds ago."""
    now = timezone.now()
    given = {
        "job": "testing.add_numbers",
        "queue": "default",
        "trigger": "code",
        "parameters": {"left": next(_numbers)},
        "status": Status.FAILED,
        "attempt": 1,
        "max_attempts": 1,
        "error_type": "ValueError",
        "error_message": "No such thing",
        "error_fingerprint": fingerprint,
        "queued_at": now - timedelta(seconds=ago + 2),
        "started_at": now - timedelta(seconds=ago + 1),
        "finished_at": now - timedelta(seconds=ago),
        **values,
    }
    return JobRun.objects.create(**given)


def find(**wanted: Any) -> list[causes.Cause]:
    now = timezone.now()
    return causes.find(Wanted(**{"since": now - causes.WINDOW, "until": now, **wanted}))


class TestCauses:
    def test_failures_of_one_cause_are_one_line_with_count_and_times(self):
        first = failed(ago=5000)
        failed(ago=100)
        latest = failed(ago=50, error_message="No such thing: 7")
        failed("bbbb", ago=10, job="testing.echo_text")
        other, cause = find()
        assert (other.fingerprint, other.job, other.failures) == ("bbbb", "testing.echo_text", 1)
        assert (cause.failures, cause.open, cause.retried) == (3, 3, 0)
        assert (cause.first_seen, cause.last_seen) == (first.finished_at, latest.finished_at)
        assert (cause.latest_run, cause.message) == (latest.pk, "No such thing: 7")
        assert cause.state == State.OPEN

    def test_runs_that_did_not_fail_and_old_failures_do_not_count(self):
        failed(ago=40 * 86_400)
        failed(status=Status.RETRYING)
        failed("", ago=5)
        assert find() == []

    def test_real_failures_come_together_by_their_cause(self):
        for number in range(2):
            run = tasks.fail_for_good.enqueue()
            JobRun.objects.filter(pk=run.pk).update(queued_at=timezone.now() - timedelta(seconds=number))
            execute(run)
        execute(tasks.fail_for_good.enqueue(as_bug=True))
        assert sorted((cause.error_type, cause.failures) for cause in find()) == [
            ("builtins.ZeroDivisionError", 1),
            ("jobs.errors.PermanentError", 2),
        ]

    def test_a_failure_that_was_made_again_is_not_open_any_more(self):
        one = failed()
        failed()
        retry = retry_run(one, by=None)
        (cause,) = find()
        assert (cause.failures, cause.open, cause.retried, cause.recovered, cause.going_on) == (2, 1, 1, 0, 1)
        execute(retry)
        (cause,) = find()
        assert (cause.retried, cause.recovered, cause.going_on) == (1, 1, 0)
        assert find(state=State.HANDLED) == []

    def test_a_retry_of_a_retry_that_succeeds_recovers_the_first(self):
        first = failed()
        second = failed("cccc", retry_of=first)
        execute(retry_run(second, by=None))
        recovered = {cause.fingerprint: cause.recovered for cause in find()}
        assert recovered == {"aaaa": 1, "cccc": 1}
        assert {cause.state for cause in find(state=State.HANDLED)} == {State.HANDLED}

    def test_the_schedules_it_hits_are_named(self):
        hourly = schedule(crontab_row("0 * * * *"), made_at=at("2026-03-01 00:00"), name="hourly")
        failed(schedule=hourly)
        failed(schedule=hourly)
        failed()
        (cause,) = find()
        assert dict(cause.schedules) == {hourly.pk: "hourly"}

    def test_when_it_struck_is_counted_in_pieces(self):
        failed(ago=60)
        failed(ago=120)
        failed(ago=29.5 * 86_400)
        (cause,) = find()
        assert (len(cause.over_time), cause.over_time[0], cause.over_time[-1]) == (causes.PIECES, 1, 2)
        assert sum(cause.over_time) == 3

    def test_lists_go_on_behind_a_place(self):
        for number in range(5):
            failed(f"cause {number}", ago=100 + number)
        now = timezone.now()
        wanted = Wanted(since=now - causes.WINDOW, until=now)
        first = causes.find(wanted, limit=2)
        second = causes.find(wanted, limit=9, after=(first[-1].last_seen, first[-1].fingerprint))
        assert [cause.fingerprint for cause in first + second] == [f"cause {number}" for number in range(5)]

    def test_they_can_be_of_one_job(self):
        failed()
        failed("bbbb", job="testing.echo_text")
        assert [cause.fingerprint for cause in find(job="testing.echo_text")] == ["bbbb"]

    def test_a_list_costs_the_same_queries_however_many(self, django_assert_num_queries):
        for number in range(20):
            failed(f"cause {number}")
        with django_assert_num_queries(6):
            assert len(find()) == 20

    def test_failures_of_other_groups_are_not_seen(self):
        mine, theirs = Group.objects.create(name="mine"), Group.objects.create(name="theirs")
        user = User.objects.create_user("ada")
        user.groups.add(mine)
        for group in (mine, theirs, None):
            failed(owner_group=group)
        failed("bbbb", owner_group=theirs)
        seen = visibility_of(user)
        (cause,) = find(seen=seen)
        assert (cause.fingerprint, cause.failures) == ("aaaa", 2)
        with pytest.raises(UnknownCause):
            causes.get("bbbb", seen=seen)
        assert causes.failures("aaaa", seen=seen).count() == 2

    def test_an_unknown_cause_is_not_found(self):
        with pytest.raises(UnknownCause, match="No run has failed"):
            causes.get("nothing")


class TestDecisions:
    @pytest.fixture
    def ada(self):
        return User.objects.create_user("ada")

    def test_a_muted_cause_raises_no_alert(self, ada):
        failed()
        assert not deadletters.muted_among(["aaaa"])
        decisions.decide("aaaa", FailureDecision.Action.MUTED, by=ada, note="Known.")
        assert deadletters.muted_among(["aaaa", "bbbb"]) == {"aaaa"}
        (cause,) = find()
        assert cause.decision is not None
        assert (cause.state, cause.decision.note) == (State.MUTED, "Known.")
        assert find(state=State.OPEN) == []
        assert AuditEvent.objects.filter(subject="failure aaaa", who="ada").exists()

    def test_it_ends_at_its_moment(self, ada):
        failed()
        until = timezone.now() + timedelta(hours=1)
        decisions.decide("aaaa", FailureDecision.Action.MUTED, by=ada, until=until)
        assert deadletters.muted_among(["aaaa"])
        FailureDecision.objects.update(until=timezone.now() - timedelta(seconds=1))
        assert not deadletters.muted_among(["aaaa"])
        assert [cause.state for cause in find()] == [State.OPEN]

    def test_a_later_decision_replaces_it_and_it_can_be_taken_back(self, ada):
        failed()
        decisions.decide("aaaa", FailureDecision.Action.MUTED, by=ada)
        decisions.decide("aaaa", FailureDecision.Action.ARCHIVED, by=ada)
        assert [cause.state for cause in find(state=State.ARCHIVED)] == [State.ARCHIVED]
        decisions.reopen("aaaa", by=ada)
        assert [cause.state for cause in find()] == [State.OPEN]
        with pytest.raises(IllegalState):
            decisions.reopen("aaaa", by=ada)

    def test_a_moment_that_has_passed_is_refused(self, ada):
        with pytest.raises(InvalidInput, match="until"):
            decisions.decide("aaaa", FailureDecision.Action.MUTED, by=ada, until=timezone.now())
