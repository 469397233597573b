"""The control plane's own jobs: the daily summary, forgetting what is old, and the canary."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import retention
from jobs.alerts import Subject, changes, raise_alert, resolve, summary
from jobs.definitions import Cron, all_jobs, get_job
from jobs.errors import InvalidParameters
from jobs.models import Alert, AlertEvent, JobRun
from jobs.tests.alert_scenes import Status, run
from jobs.tests.workers import execute

pytestmark = pytest.mark.django_db
EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def raised(name, at, **given):
    subject = Subject(type="host", text=name)
    return raise_alert("jobs.reported_trouble", subject=subject, title=name, fingerprint=name, at=at, **given)


def test_each_has_its_default_schedule():
    expected = {
        "jobs.daily_summary": "0 8 * * *",
        "jobs.cleanup_alerts": "0 0 * * sun",
        "jobs.cleanup_results": "30 3 * * *",
        "jobs.heartbeat": None,
    }
    for name, expression in expected.items():
        when = get_job(name).schedule
        assert (when.expression if isinstance(when, Cron) else when) == expression


def test_the_summary_of_a_day_counts_what_happened_and_what_is_open():
    raised("Old and open", EIGHT - timedelta(days=3), severity="critical")
    raised("New", EIGHT - timedelta(hours=3), severity="low")
    over = raised("Over", EIGHT - timedelta(hours=2))
    resolve(over.kind, over.fingerprint, reason="-", at=EIGHT - timedelta(hours=1))
    before = raised("Long over", EIGHT - timedelta(days=2))
    resolve(before.kind, before.fingerprint, reason="-", at=EIGHT - timedelta(days=2))
    raised("Tomorrow's", EIGHT + timedelta(seconds=1), severity="high")
    Alert.objects.filter(title="Tomorrow's").delete()
    found = summary.summarise(EIGHT)
    assert (found.opened, found.reopened, found.resolved) == (2, 0, 1)
    assert (found.live, found.unread) == (2, 2)
    assert found.by_severity == {"critical": 1, "high": 0, "medium": 0, "low": 1}
    assert found.by_kind == {"jobs.reported_trouble": 2}
    assert [line.title for line in found.latest] == ["Old and open", "Over", "New"]


def test_what_somebody_has_read_is_not_unread_until_there_are_news():
    alert = raised("Trouble", timezone.now())
    changes.read([alert.pk], by=User.objects.create_user("ada"))
    assert summary.summarise(timezone.now()).unread == 0
    raised("Trouble", timezone.now(), severity="critical")
    assert summary.summarise(timezone.now()).unread == 1


def test_what_is_folded_into_an_incident_is_counted_with_it():
    incident, folded = raised("Incident", EIGHT), raised("Folded", EIGHT)
    Alert.objects.filter(pk=folded.pk).update(incident=incident)
    AlertEvent.objects.filter(alert=folded).update(is_silent=True)
    found = summary.summarise(EIGHT + timedelta(hours=1))
    assert (found.live, found.opened) == (1, 1)


def test_what_belongs_to_a_group_is_counted_but_not_named():
    raised("Secret", EIGHT, owner_group_id=Group.objects.create(name="red").pk)
    found = summary.summarise(EIGHT + timedelta(hours=1))
    assert (found.live, found.latest) == (1, ())


def test_the_summary_reads_well_as_text():
    raised("Disk full", EIGHT - timedelta(hours=3), severity="high")
    found = summary.summarise(EIGHT)
    assert found.title == "Almanac: 1 open alert, 1 unread"
    assert found.text == (
        "From 2026-03-01 08:00 to 2026-03-02 08:00 UTC\n\n"
        "Opened 1, opened again 0, resolved 0.\n"
        "Open now: 1, unread: 1.\n\n"
        "By severity\n      1  high\n\n"
        "By kind\n      1  Reported trouble\n\n"
        "Latest\n  high      Disk full (open, seen 1 times)"
    )


def test_the_summary_of_a_quiet_day_says_so():
    assert summary.summarise(EIGHT).title == "Almanac: no open alerts"
    assert "Latest" not in summary.summarise(EIGHT).text


@pytest.mark.django_db(transaction=True)
def test_the_job_of_the_summary_gives_it_as_its_result(flush_broker):
    raised("Disk full", timezone.now(), severity="high")
    done = execute(get_job("jobs.daily_summary").enqueue())
    assert done.status == Status.SUCCEEDED
    assert done.result is not None
    assert done.result["live"] == 1
    assert done.result["by_severity"]["high"] == 1
    assert "Disk full" in done.logs.get().message


@pytest.mark.django_db(transaction=True)
def test_old_alerts_are_forgotten_by_their_job(flush_broker):
    at = timezone.now() - timedelta(days=100)
    old, still_open = raised("old", at), raised("open", at)
    resolve(old.kind, old.fingerprint, reason="-", at=at)
    assert execute(get_job("jobs.cleanup_alerts").enqueue()).result == 1
    assert list(Alert.objects.all()) == [still_open]


@pytest.mark.parametrize("days", [29, 366])
def test_old_alerts_are_kept_a_month_at_least_and_a_year_at_most(days):
    with pytest.raises(InvalidParameters):
        get_job("jobs.cleanup_alerts").enqueue(keep_days=days)


def test_runs_and_results_that_belong_to_none_are_forgotten(settings):
    settings.JOBS_KEEP_RUNS_DAYS = 90
    now = timezone.now()
    kept = [run(Status.SUCCEEDED, now - timedelta(days=80)), run(Status.QUEUED, now - timedelta(days=100))]
    run(Status.SUCCEEDED, now - timedelta(days=100))
    for days in (100, 80):
        result = TaskResult.objects.create(task_id=f"foreign {days}", status="SUCCESS")
        TaskResult.objects.filter(pk=result.pk).update(date_done=now - timedelta(days=days))
    assert retention.clean() == {"runs": 1, "logs": 0, "results": 1}
    assert set(JobRun.objects.all()) == set(kept)
    assert TaskResult.objects.get().task_id == "foreign 80"
    assert retention.clean(keep_days=70) == {"runs": 1, "logs": 0, "results": 1}


def test_every_job_of_the_control_plane_is_one_of_these():
    names = {job.name for job in all_jobs() if job.app_label == "jobs"}
    assert names >= {"jobs.heartbeat", "jobs.daily_summary", "jobs.cleanup_alerts", "jobs.cleanup_results"}
