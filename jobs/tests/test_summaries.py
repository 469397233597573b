"""Counting runs by spans: figures of a week without looking at every run."""

import random
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs import summaries
from jobs.models import EVERYTHING, JobRun, RunSummary, Visibility, first_run_id

pytestmark = pytest.mark.django_db


def made(at: datetime, status: str, seconds: float | None = None, **values: object) -> JobRun:
    """A run that was asked for at that moment and took that long."""
    identity = first_run_id(at).int | random.getrandbits(60)
    started = at if seconds is not None else None
    return JobRun.objects.create(
        id=uuid.UUID(int=identity),
        job="testing.add_numbers",
        queue="default",
        trigger="code",
        status=status,
        queued_at=at,
        started_at=started,
        finished_at=started + timedelta(seconds=seconds or 0) if started else None,
        **values,
    )


def keep_all() -> None:
    while summaries.keep():
        pass


def test_runs_are_counted_in_the_span_they_were_asked_for_in():
    now = timezone.now()
    begin = summaries.begin_of_span(now) - timedelta(hours=3)
    made(begin, "succeeded", 2)
    made(begin + summaries.SPAN - timedelta(milliseconds=1), "failed", 4)
    made(begin + summaries.SPAN, "skipped")
    keep_all()
    rows = RunSummary.objects.filter(
        begins_at__gte=begin, begins_at__lte=begin + summaries.SPAN, is_total=True
    )
    assert list(rows.order_by("begins_at").values_list("succeeded", "failed", "skipped")) == [
        (1, 1, 0),
        (0, 0, 1),
    ]


def test_week_is_complete_after_the_first_counts_and_costs_one_query(django_assert_num_queries):
    now = timezone.now()
    made(now - timedelta(days=6, hours=17), "succeeded", 1)  # periods begin at whole six hours
    made(now - timedelta(hours=1), "failed", 1)
    keep_all()
    with django_assert_num_queries(1):
        found = summaries.periods(now, step=timedelta(hours=6), number=28, seen=EVERYTHING)
    assert len(found) == 28
    assert sum(period.counts["succeeded"] for period in found) == 1
    assert found[-1].ends_at > now >= found[-1].begins_at
    assert summaries.window(now, length=timedelta(days=1), seen=EVERYTHING).success_rate == 0


def test_span_with_open_runs_is_counted_again_until_they_have_ended(monkeypatch):
    monkeypatch.setattr(summaries, "AGAIN_AFTER", timedelta(0))
    at = timezone.now() - timedelta(hours=5)
    run = made(at, "running", None)
    keep_all()
    row = RunSummary.objects.get(begins_at=summaries.begin_of_span(at), is_total=True)
    assert (row.open, row.succeeded) == (1, 0)
    JobRun.objects.filter(pk=run.pk).update(
        status="succeeded", started_at=at, finished_at=at + timedelta(seconds=9)
    )
    keep_all()
    row = RunSummary.objects.get(begins_at=summaries.begin_of_span(at), is_total=True)
    assert (row.open, row.succeeded) == (0, 1)
    assert row.durations[summaries.BOUNDS.index(next(b for b in summaries.BOUNDS if b > 9))] == 1


def test_people_see_figures_of_their_own_groups_only():
    ours, theirs = (Group.objects.create(name=name) for name in ("ours", "theirs"))
    now = timezone.now()
    made(now, "succeeded", 1)
    made(now, "failed", 1, owner_group=ours)
    made(now, "failed", 1, owner_group=theirs)
    keep_all()
    day = timedelta(days=1)
    mine = summaries.window(now, length=day, seen=Visibility(frozenset({ours.pk})))
    assert (mine.counts["succeeded"], mine.counts["failed"]) == (1, 1)
    assert summaries.window(now, length=day, seen=Visibility()).counts["failed"] == 0
    assert summaries.window(now, length=day, seen=EVERYTHING).counts["failed"] == 2


def test_percentiles_come_from_the_histogram_within_its_bounds():
    now = timezone.now()
    for seconds in (1, 2, 3, 4, 100):
        made(now, "succeeded", seconds)
    keep_all()
    day = summaries.window(now, length=timedelta(days=1), seen=EVERYTHING)
    median, p90 = day.percentile(0.5), day.percentile(0.9)
    assert median is not None and 3 / 1.6 <= median <= 3 * 1.6
    assert p90 is not None and 100 / 1.6 <= p90 <= 100 * 1.6
    long_ago = now - timedelta(days=60)
    nothing = summaries.periods(long_ago, step=summaries.SPAN, number=1, seen=Visibility(frozenset({0})))[0]
    assert summaries.Period(long_ago, now).percentile(0.5) is None
    assert nothing.begins_at < long_ago


def test_old_summaries_are_forgotten_and_another_scheduler_is_not_waited_for(database_url):
    keep_all()
    RunSummary.objects.filter(begins_at=summaries.begin_of_span(timezone.now())).update(
        begins_at=datetime(2020, 1, 1, tzinfo=UTC)
    )
    summaries.keep()
    assert not RunSummary.objects.filter(begins_at__year=2020).exists()
    with psycopg.connect(database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [summaries._LOCK])
        RunSummary.objects.all().delete()
        summaries.keep()
        assert not RunSummary.objects.exists()
