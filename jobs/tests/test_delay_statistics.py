"""Delays of many runs: the same parts as of one, added up by PostgreSQL."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import delay_statistics, delays
from jobs.delays import Kind
from jobs.models import JobRun, RunAttempt
from jobs.tests.staff import signed_in, staff
from jobs.tests.test_delays import asked

pytestmark = pytest.mark.django_db
Status = JobRun.Status
DAY = timedelta(days=1)


def some_run(rng: random.Random, job: str) -> JobRun:
    """An ended run of some kind, asked for in the last hour."""
    ago = rng.uniform(1800, 3500)
    run = asked(ago, job=job, queue=rng.choice(["sources", "reports"]), status=Status.SUCCEEDED, attempt=1)
    moment = run.queued_at

    def later(most: float):
        nonlocal moment
        moment += timedelta(seconds=rng.uniform(0, most))
        return moment

    values: dict[str, Any] = {}
    if rng.random() < 0.7:
        values["scheduled_for"] = run.queued_at - timedelta(seconds=rng.uniform(-1, 5))
    if rng.random() < 0.4:
        values["waits"] = {kind: rng.uniform(0, 9) for kind in rng.sample(["jitter", "overlap", "limit"], 2)}
        values["admitted_at"] = later(30)
    values["first_published_at"] = later(2)
    if rng.random() < 0.4:
        RunAttempt.objects.create(
            run=run,
            attempt=1,
            ended="failed",
            admitted_at=values.get("admitted_at"),
            published_at=values["first_published_at"],
            started_at=later(20),
            ended_at=later(20),
            retry_at=later(60),
        )
        values |= {"attempt": 2, "first_published_at": later(3), "admitted_at": None}
    values |= {"started_at": later(30), "finished_at": later(300)}
    JobRun.objects.filter(pk=run.pk).update(**values)
    run.refresh_from_db()
    return run


def expected(runs: list[JobRun]) -> dict[Kind, float]:
    """The mean of each part by `jobs.delays`, with everything between the first and the latest attempt in one."""
    sums: dict[Kind, float] = {}
    for run in runs:
        parts = delays.of_run(run).parts
        first_end = next((n for n, part in enumerate(parts) if part.kind == Kind.ATTEMPT), len(parts))
        for place, part in enumerate(parts):
            kind = part.kind if place < first_end or part.kind == Kind.EXECUTION else Kind.ATTEMPT
            sums[kind] = sums.get(kind, 0) + part.seconds
    return {kind: total / len(runs) for kind, total in sums.items()}


def test_the_statement_and_the_breakdown_of_each_run_agree():
    rng = random.Random(5)
    runs = [some_run(rng, job) for job in ("a.first", "a.second") for _ in range(25)]
    now = timezone.now()
    found = delay_statistics.of_window(now - DAY, now)
    assert found.total.runs == 50
    assert {share.kind: pytest.approx(share.mean) for share in found.total.shares} == expected(runs)
    assert found.total.whole is not None
    assert found.total.whole.mean == pytest.approx(sum(share.mean for share in found.total.shares))
    for spent in found.groups:
        of_job = expected([run for run in runs if run.job == spent.name])
        assert {share.kind: pytest.approx(share.mean) for share in spent.shares} == of_job
    assert sum(spent.runs for spent in found.over_time) == 50


def test_percentiles_are_those_of_the_runs():
    now = timezone.now()
    for seconds in range(1, 11):
        run = asked(1000, status=Status.SUCCEEDED, attempt=1)
        start = run.queued_at + timedelta(seconds=seconds)
        JobRun.objects.filter(pk=run.pk).update(started_at=start, finished_at=start)
    (share,) = delay_statistics.of_window(now - DAY, timezone.now()).total.shares
    assert share.kind == Kind.QUEUE
    assert [share.p50, share.p90] == pytest.approx([5.5, 9.1])


def test_runs_that_were_never_started_and_those_outside_do_not_count():
    rng = random.Random(5)
    some_run(rng, "a.first")
    asked(100, status=Status.MISSED)
    asked(100)
    now = timezone.now()
    assert delay_statistics.of_window(now - DAY, now).total.runs == 1
    assert delay_statistics.of_window(now - timedelta(seconds=200), now).total.runs == 0
    assert delay_statistics.of_window(now - DAY, now, job="a.second").total.runs == 0
    queue = JobRun.objects.get(job="a.first").queue
    assert delay_statistics.of_window(now - DAY, now, by="queue").groups[0].name == queue


def test_of_very_many_a_sample_is_looked_at(monkeypatch):
    monkeypatch.setattr(delay_statistics, "_one_in", lambda values: 3)
    for _ in range(60):
        run = asked(1000, status=Status.SUCCEEDED, attempt=1)
        start = run.queued_at + timedelta(seconds=5)
        JobRun.objects.filter(pk=run.pk).update(started_at=start, finished_at=start)
    now = timezone.now()
    found = delay_statistics.of_window(now - DAY, now)
    assert found.one_in == 3
    assert 0 < found.total.runs < 150
    assert found.total.runs % 3 == 0
    assert [share.mean for share in found.total.shares] == pytest.approx([5])


def test_few_are_looked_at_all():
    some_run(random.Random(1), "a.first")
    now = timezone.now()
    assert delay_statistics.of_window(now - DAY, now).one_in == 1


@pytest.mark.parametrize(
    ("window", "step"),
    [
        (timedelta(minutes=3), timedelta(seconds=10)),
        (timedelta(hours=24), timedelta(hours=1)),
        (timedelta(days=7), timedelta(hours=12)),
        (timedelta(days=366), timedelta(days=30)),
    ],
)
def test_a_window_is_cut_into_round_pieces(window, step):
    assert delay_statistics.step_of(window) == step


class TestPage:
    PAGE = "/admin/jobs/jobrun/delays/"

    @pytest.mark.parametrize("query", ["", "?window=7d&by=queue&show=all&job=", "?window=nonsense&by=x"])
    def test_it_shows_bars_and_figures(self, query):
        rng = random.Random(5)
        for _ in range(5):
            some_run(rng, "testing.add_numbers")
        answer = signed_in(staff("jobs.view_jobrun")).get(self.PAGE + query)
        assert answer.status_code == 200
        assert 'class="jobs-part--queue"' in answer.content.decode()

    def test_without_runs_it_says_so(self):
        answer = signed_in(staff("jobs.view_jobrun")).get(self.PAGE)
        assert "No run ended in this time." in answer.content.decode()

    def test_it_needs_the_permission_to_see_runs(self):
        assert signed_in(staff("jobs.view_schedule")).get(self.PAGE).status_code == 403
