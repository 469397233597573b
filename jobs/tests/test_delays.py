"""Where the time of a run went: parts that add up, each with a sentence."""

import uuid
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from jobs import delays, ledger, reaper
from jobs.delays import Kind
from jobs.ledger import Outcome
from jobs.models import JobRun, ProcessHeartbeat, RunAttempt, first_run_id
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

Status = JobRun.Status
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def finished(run: JobRun, **times: float) -> JobRun:
    """The run as it would be had these things happened so many seconds after noon."""
    values = {name: after(seconds) for name, seconds in times.items()}
    JobRun.objects.filter(pk=run.pk).update(**values)
    run.refresh_from_db()
    return run


def lengths(breakdown: delays.Breakdown) -> list[tuple[str, float]]:
    return [(part.kind.value, part.seconds) for part in breakdown.parts]


def a_run(**values: object) -> JobRun:
    given = {"job": "testing.add_numbers", "queue": "sources", "trigger": "code", "queued_at": NOON, **values}
    return JobRun.objects.create(**given)


class TestAddingUp:
    moments = st.one_of(st.none(), st.integers(-100, 1000).map(after))

    @given(
        status=st.sampled_from(Status),
        attempt=st.integers(0, 3),
        slot=moments,
        queued_at=st.integers(-100, 1000).map(after),
        sent_at=moments,
        admitted_at=moments,
        started_at=moments,
        finished_at=moments,
        waits=st.none()
        | st.dictionaries(st.sampled_from(["jitter", "window", "overlap", "limit"]), st.floats(0, 500)),
        waiting_for=st.sampled_from(["", "jitter", "window", "overlap", "limit"]),
        earlier=st.lists(st.tuples(moments, st.integers(-100, 1000), moments), max_size=3),
    )
    def test_whatever_the_clocks_say_the_parts_follow_each_other_and_add_up(
        self,
        status,
        attempt,
        slot,
        queued_at,
        sent_at,
        admitted_at,
        started_at,
        finished_at,
        waits,
        waiting_for,
        earlier,
    ):
        run = JobRun(
            status=status,
            attempt=attempt,
            scheduled_for=slot,
            queued_at=queued_at,
            first_published_at=sent_at,
            admitted_at=admitted_at,
            started_at=started_at,
            finished_at=finished_at,
            next_attempt_at=started_at,
            waits=waits,
            waiting_for=waiting_for,
            waiting_since=admitted_at,
        )
        rows = [
            RunAttempt(
                attempt=n, published_at=sent, started_at=after(at), ended_at=after(at + 5), retry_at=due
            )
            for n, (sent, at, due) in enumerate(earlier, start=1)
        ]
        start = slot or queued_at
        end = max(finished_at or after(1000), start)
        stays = delays._stays(run, rows, start, end)
        assert sum((stay.end - stay.start for stay in stays), timedelta()) == end - start
        assert all(stay.end > stay.start for stay in stays)
        assert all(one.end == other.start for one, other in pairwise(stays))


@pytest.mark.django_db
class TestParts:
    def test_a_run_of_a_schedule(self):
        run = finished(
            execute(tasks.add_numbers.enqueue(left=1)),
            scheduled_for=0,
            queued_at=0.5,
            first_published_at=0.7,
            started_at=2.7,
            finished_at=12.7,
        )
        found = delays.of_run(run)
        assert lengths(found) == [("scheduler", 0.5), ("outbox", 0.2), ("queue", 2), ("execution", 10)]
        assert found.seconds == 12.7
        assert found.has_ended
        assert found.longest is not None
        assert found.longest.kind == Kind.QUEUE

    def test_a_run_that_somebody_asked_for_counts_from_then(self):
        run = finished(
            execute(tasks.add_numbers.enqueue(left=1)),
            queued_at=0,
            first_published_at=0,
            started_at=0,
            finished_at=1,
        )
        assert lengths(delays.of_run(run)) == [("execution", 1)]

    def test_a_run_that_goes_on_counts_until_now(self):
        run = a_run(status=Status.RUNNING, attempt=1, first_published_at=NOON, started_at=after(3))
        found = delays.of_run(run, after(10))
        assert lengths(found) == [("queue", 3), ("execution", 7)]
        assert found.parts[-1].sentence == "It has been running for 7.0 s."
        assert not found.has_ended

    def test_earlier_attempts_and_the_delays_between_them(self):
        run = a_run(
            status=Status.SUCCEEDED,
            attempt=3,
            first_published_at=after(151),
            started_at=after(160),
            finished_at=after(200),
        )
        for values in (
            {
                "attempt": 1,
                "started_at": after(5),
                "ended_at": after(20),
                "retry_at": after(50),
                "error_message": "Busy.",
            },
            {
                "attempt": 2,
                "started_at": after(60),
                "ended_at": after(150),
                "ended": "lost",
                "error_message": "Gone.",
            },
        ):
            RunAttempt.objects.create(**{"run": run, "ended": "failed", "published_at": None, **values})
        found = delays.of_run(run)
        assert lengths(found) == [
            ("queue", 5),
            ("attempt", 15),
            ("retry", 30),
            ("queue", 10),
            ("attempt", 90),
            ("outbox", 1),
            ("queue", 9),
            ("execution", 40),
        ]
        assert [part.attempt for part in found.parts] == [1, 1, 1, 2, 2, 3, 3, 3]
        sentences = [part.sentence for part in found.parts]
        assert sentences[1] == "Attempt 1 ran for 15 s and failed: Busy."
        assert sentences[2] == "Waited 30 s before attempt 2, as its retry policy says."
        assert sentences[4] == "Attempt 2 was lost after 1 min 30 s. Gone."
        assert sentences[-1] == "Attempt 3 ran for 40 s."

    def test_waits_that_policies_made(self):
        run = a_run(
            status=Status.SUCCEEDED,
            attempt=1,
            scheduled_for=NOON,
            queued_at=after(1),
            waits={"jitter": 10.0, "overlap": 20.0, "limit": 5.5},
            admitted_at=after(37),
            first_published_at=after(37),
            started_at=after(40),
            finished_at=after(41),
        )
        assert lengths(delays.of_run(run)) == [
            ("scheduler", 1),
            ("jitter", 10),
            ("overlap", 20),
            ("limit", 6),
            ("queue", 3),
            ("execution", 1),
        ]

    def test_a_run_that_waits_for_an_earlier_one(self):
        run = a_run(
            status=Status.WAITING,
            waiting_for="overlap",
            waiting_since=after(10),
            waits={"jitter": 10.0},
            first_published_at=None,
        )
        found = delays.of_run(run, after(70))
        assert lengths(found) == [("jitter", 10), ("overlap", 60)]
        assert found.parts[-1].sentence == "Waited 1 min for an earlier run of its schedule to end."

    def test_a_run_that_waits_for_its_retry_and_one_that_is_due(self):
        run = a_run(
            status=Status.RETRYING,
            attempt=1,
            started_at=after(1),
            first_published_at=NOON,
            next_attempt_at=after(30),
        )
        RunAttempt.objects.create(
            run=run,
            attempt=1,
            ended="failed",
            published_at=NOON,
            started_at=after(1),
            ended_at=after(2),
            retry_at=after(30),
        )
        assert lengths(delays.of_run(run, after(12))) == [("queue", 1), ("attempt", 1), ("retry", 10)]
        run = finished(run)
        JobRun.objects.filter(pk=run.pk).update(
            status=Status.QUEUED, first_published_at=None, next_attempt_at=None
        )
        run.refresh_from_db()
        found = delays.of_run(run, after(34))
        assert lengths(found)[2:] == [("retry", 28), ("outbox", 4)]
        assert found.parts[-1].sentence == "Waits since 4.0 s to be sent to the broker."

    def test_a_slot_that_never_ran(self):
        run = a_run(status=Status.MISSED, scheduled_for=NOON, queued_at=after(600), finished_at=after(600))
        found = delays.of_run(run)
        assert lengths(found) == [("scheduler", 600)]
        assert found.parts[0].sentence == "A scheduler settled the slot 10 min after its time."

    def test_a_run_cancelled_in_the_queue(self):
        run = a_run(status=Status.CANCELLED, first_published_at=NOON, finished_at=after(9))
        assert lengths(delays.of_run(run)) == [("queue", 9)]

    def test_real_attempts_add_up(self):
        run = execute(tasks.fail_transiently.enqueue(until_attempt=3))
        while run.status == Status.RETRYING:
            JobRun.objects.filter(pk=run.pk).update(next_attempt_at=timezone.now())
            reaper.promote_retries()
            run = execute(run)
        found = delays.of_run(run)
        assert run.status == Status.SUCCEEDED
        assert run.finished_at is not None
        assert found.length == run.finished_at - run.queued_at
        assert sum((part.length for part in found.parts), timedelta()) == found.length
        assert [part.attempt for part in found.parts if part.kind == Kind.ATTEMPT] == [1, 2]


_numbers = count(1)


def asked(ago: float, **values: object) -> JobRun:
    """A run that was asked for so many seconds ago; the order of the calls is the order of the ids."""
    then = timezone.now() - timedelta(seconds=ago)
    new_id = uuid.UUID(int=first_run_id(then).int + next(_numbers))
    return a_run(id=new_id, queued_at=then, first_published_at=then, **values)


def taken(ago: float, *, asked_ago: float = 100, **values: object) -> JobRun:
    """A run that a worker took so many seconds ago."""
    then = timezone.now() - timedelta(seconds=ago)
    values = {
        "status": Status.SUCCEEDED,
        "attempt": 1,
        "started_at": then,
        "finished_at": timezone.now(),
        **values,
    }
    return asked(asked_ago, **values)


def in_queue(run: JobRun, *, after: float = 0) -> str:
    """What is said of its wait in the queue; of one that still waits, so many seconds after it was asked for."""
    found = delays.of_run(run, run.queued_at + timedelta(seconds=after))
    return next(part.sentence for part in found.parts if part.kind == Kind.QUEUE)


@pytest.mark.django_db
class TestQueue:
    def test_it_says_how_many_runs_were_ahead(self):
        for ago in (50, 40, 30):
            taken(ago)
        taken(90)
        taken(30, queue="other")
        taken(10)
        run = taken(19, asked_ago=60)
        assert in_queue(run) == "Waited 41 s for a worker on queue sources: 3 runs were ahead."

    def test_or_that_none_was(self):
        assert "though nothing was ahead" in in_queue(taken(19, asked_ago=60))

    def test_a_run_that_nobody_can_take_says_so(self):
        assert in_queue(asked(41), after=41) == (
            "Has waited 41 s for a worker on queue sources: no living worker takes from it."
        )

    def test_a_run_that_waits_tells_its_place(self):
        now = timezone.now()
        info = {"queues": ["sources"], "concurrency": 2}
        ProcessHeartbeat.objects.create(
            kind="worker", name="w", pid=1, started_at=now, seen_at=now, info=info
        )
        asked(60)
        second = asked(50)
        run = asked(41)
        asked(40)
        asked(60, queue="other")
        urgent = asked(1, priority=0)
        assert in_queue(run, after=41) == "Has waited 41 s for a worker on queue sources: 3 runs are ahead."
        assert delays.queue_position(second) == 2
        assert delays.queue_position(urgent) == 0


@pytest.mark.django_db
def test_a_run_that_ended_asks_little(django_assert_max_num_queries):
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.id, worker="w", pid=1)
    ledger.finish(run.id, 1, Outcome(status=Status.SUCCEEDED))
    run.refresh_from_db()
    with django_assert_max_num_queries(1):
        delays.of_run(run)
