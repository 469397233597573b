"""Slots that come while an earlier run has not ended. See docs/temporal-scenarios.md for where the ideas come from."""

import uuid

import pytest

from jobs import ledger, overlap, release, schedules
from jobs.models import JobLimit, JobRun, SchedulePolicy
from jobs.tests.scenarios.story import MINUTE, Story, clock, work
from jobs.tests.schedules_for_tests import tick
from jobs.tests.test_slots import in_threads
from jobs.tests.workers import execute

Overlap = SchedulePolicy.Overlap
Status = JobRun.Status
pytestmark = pytest.mark.django_db


class TestDecisions:
    """The rules alone: slots 3, 5 and 7, with or without a run that has not ended."""

    def settle(
        self, rule: str, *, busy: bool, buffer_limit: int = 100
    ) -> tuple[list[int], list[int], list[int]]:
        settled = overlap.settle(
            rule, [3, 5, 7], busy="the run of noon" if busy else "", buffer_limit=buffer_limit
        )
        return settled.start, settled.keep, [slot for slot, _ in settled.drop]

    @pytest.mark.parametrize("rule", Overlap.values)
    def test_without_slots_nothing_is_to_be_done(self, rule: str) -> None:
        if not overlap.stops_others(rule):
            assert overlap.settle(rule, [], busy="x", buffer_limit=1) == overlap.Settled()

    def test_skip_skips_all_beside_a_run(self) -> None:
        assert self.settle(Overlap.SKIP, busy=True) == ([], [], [3, 5, 7])

    def test_skip_starts_the_first_of_several(self) -> None:
        assert self.settle(Overlap.SKIP, busy=False) == ([3], [], [5, 7])

    def test_buffer_one_keeps_the_first_beside_a_run(self) -> None:
        assert self.settle(Overlap.BUFFER_ONE, busy=True) == ([], [3], [5, 7])

    def test_buffer_one_starts_the_first_and_keeps_the_second(self) -> None:
        assert self.settle(Overlap.BUFFER_ONE, busy=False) == ([3], [5], [7])

    def test_buffer_all_keeps_all_beside_a_run(self) -> None:
        assert self.settle(Overlap.BUFFER_ALL, busy=True) == ([], [3, 5, 7], [])

    def test_buffer_all_starts_the_first_and_keeps_the_others(self) -> None:
        assert self.settle(Overlap.BUFFER_ALL, busy=False) == ([3], [5, 7], [])

    def test_buffer_all_drops_what_does_not_fit_and_says_so(self) -> None:
        assert self.settle(Overlap.BUFFER_ALL, busy=True, buffer_limit=2) == ([], [3, 5], [7])
        settled = overlap.settle(Overlap.BUFFER_ALL, [1, 2], busy="the run of noon", buffer_limit=1)
        assert settled.drop == [
            (2, "Overlap: the run of noon had not ended, and the buffer was full: 1 slots waited.")
        ]

    @pytest.mark.parametrize("rule", [Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER])
    def test_with_rules_that_stop_the_earlier_run_the_latest_waits_for_it(self, rule: str) -> None:
        assert self.settle(rule, busy=True) == ([], [7], [3, 5])

    @pytest.mark.parametrize("rule", [Overlap.CANCEL_OTHER, Overlap.TERMINATE_OTHER])
    def test_with_rules_that_stop_the_earlier_run_only_the_latest_of_several_starts(self, rule: str) -> None:
        assert self.settle(rule, busy=False) == ([7], [], [3, 5])

    @pytest.mark.parametrize("busy", [True, False])
    def test_allow_all_starts_all(self, busy: bool) -> None:
        assert self.settle(Overlap.ALLOW_ALL, busy=busy) == ([3, 5, 7], [], [])


class TestSkip:
    def test_a_slot_beside_a_run_is_skipped_and_says_beside_which(self) -> None:
        story = Story(every=5, overlap=Overlap.SKIP, lasts={"00:05": 7}).play("00:11")
        assert story.skipped() == ["00:10"]
        assert story.running() == ["00:05"]
        assert story.reason("00:10") == "Overlap: the run of 2026-06-01 00:05:00 UTC had not ended."
        story.play("00:16")
        assert story.started == {"00:05": "00:05", "00:15": "00:15"}

    def test_a_run_that_no_worker_took_yet_counts(self) -> None:
        story = Story(every=5, overlap=Overlap.SKIP)
        tick(clock("00:05"))
        tick(clock("00:10"))
        assert (story.status("00:05"), story.status("00:10")) == (Status.QUEUED, Status.SKIPPED)

    def test_a_run_that_waits_for_its_next_attempt_counts(self) -> None:
        story = Story(every=5, overlap=Overlap.SKIP, lasts={"00:05": 60}).play("00:06")
        run = JobRun.objects.get(status=Status.RUNNING)
        JobRun.objects.filter(pk=run.pk).update(max_attempts=3)
        assert ledger.retry_later(
            run.pk, run.attempt, ledger.Outcome(status=Status.FAILED), delay_seconds=3600
        )
        story.play("00:10")
        assert story.skipped() == ["00:10"]

    def test_a_run_that_a_person_started_counts_too_and_is_itself_never_skipped(self) -> None:
        story = Story(every=5, overlap=Overlap.SKIP, lasts={"admin": 8})
        for _ in range(2):
            schedules.run_now(story.task, by=None, trigger=JobRun.Trigger.ADMIN)
        story.play("00:06")
        assert len(story.running()) == 2
        assert story.skipped() == ["00:05"]
        assert story.reason("00:05") == "Overlap: a run started otherwise (Admin) had not ended."

    def test_slots_of_an_outage_become_one_run(self) -> None:
        story = Story(every=5, overlap=Overlap.SKIP, catch_up="all").sleep("00:17").play("00:18")
        assert story.started == {"00:05": "00:18"}
        assert story.skipped() == ["00:10", "00:15"]


class TestBuffers:
    def test_buffer_one_lets_one_wait_and_skips_the_others(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ONE, lasts={"00:05": 22, "00:10": 2, "00:30": 9})
        story.play("00:26")
        assert (story.waiting(), story.skipped()) == (["00:10"], ["00:15", "00:20", "00:25"])
        assert story.reason("00:10") == "Waits for the run of 2026-06-01 00:05:00 UTC to end."
        assert "one slot waited already" in story.reason("00:15")
        story.play("00:34")
        assert story.started == {"00:05": "00:05", "00:10": "00:27", "00:30": "00:30"}
        assert story.waiting() == []

    def test_buffer_all_runs_every_slot_one_after_the_other(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 17, "00:10": 4, "00:15": 4})
        story.play("00:32")
        assert story.started == {
            "00:05": "00:05",
            "00:10": "00:22",
            "00:15": "00:26",
            "00:20": "00:30",
            "00:25": "00:31",
            "00:30": "00:32",
        }

    def test_a_full_buffer_drops_slots_with_the_reason_and_takes_new_ones_when_there_is_room(self) -> None:
        story = Story(
            every=5,
            overlap=Overlap.BUFFER_ALL,
            buffer_limit=2,
            lasts={"00:05": 17, "00:10": 1, "00:15": 1, "00:25": 2},
        )
        story.play("00:21")
        assert (story.waiting(), story.skipped()) == (["00:10", "00:15"], ["00:20"])
        assert "the buffer was full: 2 slots waited" in story.reason("00:20")
        story.play("00:29")
        assert story.started == {"00:05": "00:05", "00:10": "00:22", "00:15": "00:23", "00:25": "00:25"}

    def test_slots_of_an_outage_wait_in_the_buffer(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, catch_up="all", lasts={"00:05": 2})
        story.sleep("00:17").play("00:22")
        assert story.started == {
            "00:05": "00:18",
            "00:10": "00:20",
            "00:15": "00:21",
            "00:20": "00:22",
        }

    def test_a_waiting_run_can_be_cancelled_and_the_next_one_goes(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 17}).play("00:16")
        first = JobRun.objects.filter(status=Status.WAITING).earliest("scheduled_for")
        assert ledger.cancel(first.pk, by=None).status == Status.CANCELLED
        story.play("00:22")
        assert story.started == {"00:05": "00:05", "00:15": "00:22"}

    def test_a_waiting_run_expires_like_a_queued_one(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 60}).play("00:11")
        JobRun.objects.filter(status=Status.WAITING).update(expires_at=clock("00:12"))
        JobRun.objects.filter(status=Status.WAITING, expires_at__lt=clock("00:13")).update(
            expires_at="2020-01-01T00:00Z"
        )
        outcome = ledger.Outcome(status=Status.MISSED, reason="too late")
        assert ledger.end_expired(outcome, has_begun=False) == 1
        assert story.status("00:10") == Status.MISSED

    def test_a_new_rule_is_felt_by_those_that_wait(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 60}).play("00:21")
        assert len(story.waiting()) == 3
        story.change(overlap=Overlap.BUFFER_ONE)
        story.play("00:25")
        assert (story.waiting(), story.skipped()) == (["00:10"], ["00:15", "00:20", "00:25"])
        story.change(overlap=Overlap.ALLOW_ALL)
        story.play("00:26")
        assert story.running() == ["00:05", "00:10"]

    def test_a_run_says_how_long_it_waited(self) -> None:
        story = Story(every=5, overlap=Overlap.BUFFER_ONE, lasts={"00:05": 7}).play("00:11")
        waiting = JobRun.objects.get(status=Status.WAITING)
        assert (waiting.waiting_for, waiting.published_at) == ("overlap", None)
        assert waiting.waiting_since is not None
        story.play("00:12")
        run = JobRun.objects.get(pk=waiting.pk)
        assert (run.waiting_for, run.waiting_since, run.reason) == ("", None, "")
        assert run.waits is not None
        assert run.waits["overlap"] >= 0
        assert run.admitted_at is not None


class TestStoppingTheEarlierRun:
    def test_cancel_other_asks_it_to_stop_and_the_new_one_starts_when_it_has(self) -> None:
        story = Story(every=10, overlap=Overlap.CANCEL_OTHER, lasts={"00:10": 60, "00:20": 60})
        story.play("00:20")
        (old,) = JobRun.objects.filter(status=Status.RUNNING)
        assert old.cancel_requested_at is not None
        assert not old.cancel_forced
        assert (story.running(), story.waiting()) == (["00:10"], ["00:20"])
        story.play("00:21")
        assert story.started == {"00:10": "00:10", "00:20": "00:21"}
        assert story.status("00:10") == Status.CANCELLED

    def test_terminate_other_gives_no_grace(self) -> None:
        story = Story(every=10, overlap=Overlap.TERMINATE_OTHER, lasts={"00:10": 60}).play("00:20")
        old = JobRun.objects.get(status=Status.RUNNING)
        assert old.cancel_forced
        assert old.logs.get().message == "To be killed for the slot of 2026-06-01 00:20:00 UTC."
        story.play("00:21")
        assert story.started["00:20"] == "00:21"

    def test_a_deaf_run_is_waited_for_and_only_the_latest_slot_waits(self) -> None:
        story = Story(every=10, overlap=Overlap.CANCEL_OTHER, lasts={"00:10": 25})
        story.obeys = False
        story.play("00:34")
        assert (story.waiting(), story.skipped()) == (["00:30"], ["00:20"])
        assert story.reason("00:20") == "Overlap: a later slot took its place before it could start."
        story.play("00:35")
        assert story.started == {"00:10": "00:10", "00:30": "00:35"}

    def test_a_run_that_nobody_took_yet_is_cancelled_at_once(self) -> None:
        story = Story(every=10, overlap=Overlap.CANCEL_OTHER)
        tick(clock("00:10"))
        tick(clock("00:20"))
        assert (story.status("00:10"), story.status("00:20")) == (Status.CANCELLED, Status.QUEUED)
        assert (
            story.reason("00:10") == "Cancelled before it started, for the slot of 2026-06-01 00:20:00 UTC."
        )

    def test_of_the_slots_of_an_outage_only_the_latest_runs(self) -> None:
        story = Story(every=5, overlap=Overlap.CANCEL_OTHER, catch_up="all").sleep("00:17").play("00:18")
        assert story.started == {"00:15": "00:18"}
        assert story.skipped() == ["00:05", "00:10"]


class TestAllowAll:
    def test_runs_stand_beside_each_other(self) -> None:
        story = Story(every=5, overlap=Overlap.ALLOW_ALL, lasts={"00:05": 12, "00:10": 12}).play("00:15")
        assert story.running() == ["00:05", "00:10", "00:15"]

    def test_it_is_the_rule_of_rows_that_other_tools_make(self) -> None:
        assert Story(every=5).policy().overlap == Overlap.ALLOW_ALL


class TestWhatHappensToThoseThatWait:
    def buffered(self) -> Story:
        story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 10}).play("00:11")
        assert story.waiting() == ["00:10"]
        return story

    def test_they_are_skipped_when_the_schedule_is_paused_at_their_turn(self) -> None:
        story = self.buffered()
        story.change(paused_at=clock("00:12"), pause_note="repairs")
        story.play("00:16")
        assert story.status("00:10") == Status.SKIPPED
        assert story.reason("00:10") == "The schedule was paused while it waited: repairs."

    def test_they_run_when_the_pause_was_over_before_their_turn(self) -> None:
        story = self.buffered()
        story.change(paused_at=clock("00:12"), paused_until=clock("00:13"))
        story.play("00:16")
        assert story.started["00:10"] == "00:15"

    def test_they_are_skipped_when_the_schedule_is_disabled(self) -> None:
        story = self.buffered()
        type(story.task).objects.filter(pk=story.task.pk).update(enabled=False)
        story.play("00:16")
        assert story.reason("00:10") == "The schedule was disabled while it waited."

    def test_they_end_with_a_reason_when_the_schedule_is_deleted(self) -> None:
        story = self.buffered()
        waiting = JobRun.objects.get(status=Status.WAITING)
        type(story.task).objects.get(pk=story.task.pk).delete()
        assert release.end_orphaned() == 1
        waiting.refresh_from_db()
        assert (waiting.status, waiting.reason) == (
            Status.SKIPPED,
            "Its schedule was deleted while it waited.",
        )

    def test_they_go_on_to_wait_for_a_place_when_their_job_has_limits(self) -> None:
        story = self.buffered()
        JobLimit.objects.create(job=story.task.task, max_running=1)
        other = JobRun.objects.create(
            id=uuid.uuid4(),
            job=story.task.task,
            queue="default",
            trigger="code",
            queued_at=clock("00:00"),
            status=Status.RUNNING,
            limit_key="",
        )
        story.play("00:16")
        run = JobRun.objects.get(scheduled_for=clock("00:10"))
        assert (run.status, run.waiting_for) == (Status.WAITING, "limit")
        assert run.waits is not None
        assert set(run.waits) == {"overlap"}
        JobRun.objects.filter(pk=other.pk).update(status=Status.SUCCEEDED)
        story.play("00:17")
        assert story.started["00:10"] == "00:17"


def test_a_worker_lets_the_next_run_go_when_its_own_has_ended() -> None:
    story = Story(every=5, overlap=Overlap.BUFFER_ALL)
    work(clock("00:05"))
    work(clock("00:10"))
    assert story.waiting() == ["00:10"]
    execute(JobRun.objects.get(status=Status.QUEUED))
    assert (story.status("00:05"), story.status("00:10")) == (Status.SUCCEEDED, Status.QUEUED)


def test_deciding_twice_starts_one_run() -> None:
    story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 30}).play("00:16")
    run = JobRun.objects.get(status=Status.RUNNING)
    ledger.finish(run.pk, run.attempt, ledger.Outcome(status=Status.SUCCEEDED))
    first = release.release(clock("00:16"))
    again = release.release(clock("00:16"))
    assert (len(first), len(again)) == (1, 0)
    work(story.now + MINUTE)
    assert JobRun.objects.filter(status=Status.QUEUED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_schedulers_and_workers_that_decide_together_start_one_run() -> None:
    story = Story(every=5, overlap=Overlap.BUFFER_ALL, lasts={"00:05": 90}).play("00:31")
    assert len(story.waiting()) == 5
    for left in range(5, 0, -1):
        run = JobRun.objects.get(status__in=[Status.RUNNING, Status.QUEUED])
        if run.status == Status.QUEUED:
            assert ledger.claim(run.pk, worker="w", pid=1)
            run.refresh_from_db()
        ledger.finish(run.pk, run.attempt, ledger.Outcome(status=Status.SUCCEEDED))
        sent: list[uuid.UUID] = []

        def decide(sent: list[uuid.UUID] = sent) -> None:
            sent.extend(message.run_id for message in release.release(clock("00:32")))

        assert in_threads(*[decide] * 4) == []
        release.release(clock("00:32"))  # all four may have met the lock of another
        assert JobRun.objects.filter(status=Status.QUEUED).count() == 1
        assert len(story.waiting()) == left - 1
