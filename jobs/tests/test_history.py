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
        assert eta.seconds == pytest.approx(30.13, abs=0.01)
        assert (eta.p90_seconds, eta.basis) == (None, "progress")

    def test_history_gives_the_upper_value(self) -> None:
        eta = history.eta(running(50), after(10), Durations(p50=20, p90=60, runs=9))
        assert eta == Eta(10, 50, "progress and history")

    def test_the_upper_value_is_never_below_the_best_guess(self) -> None:
        eta = history.eta(running(10), after(90), Durations(p50=20, p90=60, runs=9))
        assert eta is not None
        assert eta.seconds == eta.p90_seconds == pytest.approx(810)

    def test_without_progress_history_speaks_alone(self) -> None:
        typical = Durations(p50=20, p90=60, runs=9)
        assert history.eta(running(0), after(5), typical) == Eta(15, 55, "history")
        assert history.eta(running(0), after(500), typical) == Eta(0, 0, "history")

    def test_without_both_nothing_is_said(self) -> None:
        assert history.eta(running(0), after(5), None) is None

    @pytest.mark.parametrize("status", [status for status in Status if status != Status.RUNNING])
    def test_only_running_runs_have_one(self, status: JobRun.Status) -> None:
        run = running(50)
        run.status = status
        assert history.eta(run, after(10), None) is None

    def test_a_run_that_is_done_needs_nothing_more(self) -> None:
        assert history.eta(running(100), after(10), None) == Eta(0, None, "progress")


@pytest.mark.django_db
class TestDurations:
    def ended(self, seconds: float, status: JobRun.Status = Status.SUCCEEDED, job: str = "a.job") -> None:
        JobRun.objects.create(
            job=job,
            queue="default",
            trigger=JobRun.Trigger.CODE,
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
        assert history.durations("a.job") == Durations(p50=2, p90=2, runs=history.SAMPLE)

    def test_a_job_that_never_succeeded_has_none(self) -> None:
        assert history.durations("a.job") is None
