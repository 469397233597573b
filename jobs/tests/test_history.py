"""How long runs take, and what that says about one that is running."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs import history
from jobs.history import Durations, Eta
from jobs.models import JobRun

Status = JobRun.Status
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def running(progress: float, started_at: datetime | None = NOON) -> JobRun:
    return JobRun(job="testing.do_nothing", status=Status.RUNNING, progress=progress, started_at=started_at)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class TestEta:
    def test_three_of_five_units_after_45_seconds_leave_30(self) -> None:
        eta = history.eta(running(60), after(45.2), None)
        assert eta is not None
        assert eta.seconds == pytest.approx(30.13, abs=0.05)
        assert eta.p90_seconds is not None
        assert eta.p90_seconds > 40
        assert eta.basis == "progress"

    def test_progress_and_history_are_taken_together(self) -> None:
        eta = history.eta(running(50), after(10), Durations(p50=40, p90=60, runs=9))
        assert eta is not None
        assert 10 < eta.seconds < 30
        assert eta.p90_seconds is not None
        assert eta.p90_seconds > eta.seconds
        assert eta.basis == "progress and history"

    def test_the_further_it_is_the_less_history_counts(self) -> None:
        usual = Durations(p50=100, p90=200, runs=50)
        early, late = history.eta(running(10), after(1), usual), history.eta(running(99), after(9.9), usual)
        assert early is not None
        assert late is not None
        assert early.seconds > 20
        assert late.seconds < 1

    def test_without_progress_history_speaks_alone(self) -> None:
        eta = history.eta(running(0), after(5), Durations(p50=20, p90=20, runs=9, seconds=(20.0,) * 9))
        assert eta == Eta(15, 15, "history")

    def test_a_run_that_lasts_longer_than_any_before_still_has_an_estimate(self) -> None:
        typical = Durations(p50=20, p90=60, runs=9)
        eta = history.eta(running(0), after(500), typical)
        assert eta is not None
        assert eta.seconds > 1

    def test_of_two_kinds_of_runs_it_is_the_long_one_once_the_short_one_would_be_over(self) -> None:
        typical = Durations(p50=5, p90=300, runs=50, seconds=(5.0,) * 35 + (300.0,) * 15)
        eta = history.eta(running(0), after(20), typical)
        assert eta == Eta(280, 280, "history")

    def test_without_both_nothing_is_said(self) -> None:
        assert history.eta(running(0), after(5), None) is None

    @pytest.mark.parametrize("status", [status for status in Status if status != Status.RUNNING])
    def test_only_running_runs_have_one(self, status: JobRun.Status) -> None:
        run = running(50)
        run.status = status
        assert history.eta(run, after(10), None) is None

    def test_a_run_that_is_done_needs_nothing_more(self) -> None:
        assert history.eta(running(100), after(10), None) == Eta(0, 0, "progress")


@pytest.mark.django_db
class TestDurations:
    def ended(
        self, seconds: float, status: JobRun.Status = Status.SUCCEEDED, job: str = "a.job", **parameters: int
    ) -> None:
        JobRun.objects.create(
            job=job,
            queue="default",
            trigger=JobRun.Trigger.CODE,
            parameters=parameters,
            status=status,
            queued_at=NOON,
            started_at=NOON,
            finished_at=after(seconds),
        )

    def test_they_come_from_the_latest_successes_of_the_job_alone(self) -> None:
        for seconds in range(1, 11):
            self.ended(seconds)
        self.ended(1000, Status.FAILED)
        self.ended(1000, job="another.job")
        typical = history.durations("a.job")
        assert typical is not None
        assert (typical.p50, typical.runs) == (5.5, 10)
        assert typical.p90 == pytest.approx(9.1)

    def test_old_runs_are_forgotten(self) -> None:
        for seconds in [1000] * 10 + [2] * history.SAMPLE:
            self.ended(seconds)
        typical = history.durations("a.job")
        assert typical == Durations(p50=2, p90=2, runs=history.SAMPLE, seconds=(2.0,) * history.SAMPLE)

    def test_runs_with_the_same_parameters_tell_more_than_others(self) -> None:
        for _ in range(5):
            self.ended(100, size=9)
        for _ in range(20):
            self.ended(2, size=1)
        run = JobRun(job="a.job", parameters={"size": 9})
        alike, of_job = history.typical(run), history.durations("a.job")
        assert alike is not None
        assert of_job is not None
        assert (alike.p50, of_job.p50) == (100, 2)

    def test_of_parameters_that_hardly_ran_the_whole_job_speaks(self) -> None:
        self.ended(100, size=9)
        for _ in range(9):
            self.ended(2, size=1)
        alike = history.typical(JobRun(job="a.job", parameters={"size": 9}))
        assert alike is not None
        assert alike.p50 == 2

    def test_a_job_that_never_succeeded_has_none(self) -> None:
        assert history.durations("a.job") is None
