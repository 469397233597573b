"""What /metrics tells: exact, the same from every process, and there when servers are not."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from jobs import ledger, reaper
from jobs.definitions import all_jobs
from jobs.errors import TransientError
from jobs.metrics import scrape, totals
from jobs.metrics.counters import everything_counted
from jobs.metrics.registry import all_collectors
from jobs.metrics.requests import counts
from jobs.models import (
    Alert,
    Delivery,
    JobRun,
    MetricTotal,
    NotificationChannel,
    ProcessHeartbeat,
    RunTally,
)
from jobs.tests.workers import execute, give_body
from tests.jobs_for_tests import tasks

ADD = "testing.add_numbers"


def samples(families):
    """{(name, labels...): value} of families."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in families
        for sample in metric.samples
    }


def counted():
    return samples(everything_counted())


def everything():
    return samples(metric for collect in all_collectors() for metric in collect())


@pytest.mark.django_db
def test_every_end_is_counted_by_job_and_outcome():
    execute(tasks.add_numbers.enqueue(left=1))
    execute(tasks.add_numbers.enqueue(left=1))
    execute(tasks.fail_for_good.enqueue())
    ledger.cancel(tasks.add_numbers.enqueue(left=1).pk, by=None)
    found = counted()
    assert found["almanac_runs_total", ADD, "succeeded"] == 2
    assert found["almanac_runs_total", ADD, "cancelled"] == 1
    assert found["almanac_runs_total", "testing.fail_for_good", "failed"] == 1
    assert found["almanac_runs_total", ADD, "failed"] == 0


@pytest.mark.django_db
def test_folding_changes_no_number():
    for _ in range(3):
        execute(tasks.add_numbers.enqueue(left=1))
    before = counted()
    assert totals.fold() == RunTally.objects.count() + 3
    assert counted() == before
    execute(tasks.add_numbers.enqueue(left=1))
    assert totals.fold() == 1
    assert counted()["almanac_runs_total", ADD, "succeeded"] == 4
    assert totals.fold() == 0


@pytest.mark.django_db
def test_counters_outlive_the_runs_they_counted():
    execute(tasks.add_numbers.enqueue(left=1))
    JobRun.objects.all().delete()
    assert counted()["almanac_runs_total", ADD, "succeeded"] == 1


@pytest.mark.django_db
def test_what_is_rolled_back_is_not_counted():
    from django.db import transaction

    class Stop(Exception):
        pass

    with pytest.raises(Stop), transaction.atomic():
        execute(tasks.add_numbers.enqueue(left=1))
        raise Stop
    assert counted()["almanac_runs_total", ADD, "succeeded"] == 0


@pytest.mark.django_db
def test_durations_and_waits_are_histograms_with_inclusive_bounds():
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.pk, worker="w@x", pid=1)
    now = timezone.now()
    JobRun.objects.filter(pk=run.pk).update(
        queued_at=now - timedelta(seconds=12), started_at=now - timedelta(seconds=2)
    )
    JobRun.objects.filter(pk=run.pk).update(status="succeeded", finished_at=now - timedelta(seconds=1))
    found = counted()
    assert found["almanac_run_duration_seconds_bucket", ADD, "0.5"] == 0
    assert found["almanac_run_duration_seconds_bucket", ADD, "1.0"] == 1
    assert found["almanac_run_duration_seconds_bucket", ADD, "+Inf"] == 1
    assert found["almanac_run_duration_seconds_sum", ADD] == pytest.approx(1)
    assert found["almanac_run_wait_seconds_bucket", ADD, "5.0"] == 0
    assert found["almanac_run_wait_seconds_bucket", ADD, "10.0"] == 1
    assert found["almanac_run_wait_seconds_count", ADD] == 1
    totals.fold()
    assert counted() == found


@pytest.mark.django_db
def test_buckets_of_earlier_bounds_go_to_the_next_larger_one():
    totals.add([totals.Total("duration", ADD, "7", 2, 12.0)])
    found = counted()
    assert found["almanac_run_duration_seconds_bucket", ADD, "5.0"] == 0
    assert found["almanac_run_duration_seconds_bucket", ADD, "10.0"] == 2


@pytest.mark.django_db
def test_retries_are_counted_and_the_wait_only_once(monkeypatch):
    def fail_first(run, *, left, right=1):
        if run.attempt == 1:
            raise TransientError("busy")
        return left

    give_body(monkeypatch, ADD, fail_first, retry=tasks.fail_transiently.retry)
    run = execute(tasks.add_numbers.enqueue(left=1))
    JobRun.objects.filter(pk=run.pk).update(max_attempts=3)
    if run.status == "failed":  # its limit came from the job before the change
        pytest.fail("the run was not retried")
    JobRun.objects.filter(pk=run.pk).update(next_attempt_at=timezone.now())
    reaper.promote_retries()
    execute(run)
    found = counted()
    assert found["almanac_run_retries_total", ADD] == 1
    assert found["almanac_runs_total", ADD, "succeeded"] == 1
    assert found["almanac_run_wait_seconds_count", ADD] == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("max_attempts", "failed"), [(3, 0), (1, 1)])
def test_a_lost_attempt_is_counted_whether_its_run_goes_on_or_fails(max_attempts, failed):
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(max_attempts=max_attempts)
    ledger.claim(run.pk, worker="w@x", pid=1)
    JobRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert reaper.recover_lost() == 1
    found = counted()
    assert found["almanac_runs_lost_total", ADD] == 1
    assert found["almanac_runs_total", ADD, "failed"] == failed
    assert found["almanac_run_wait_seconds_count", ADD] == 1


@pytest.mark.django_db
def test_sending_again_is_counted_and_the_first_time_is_not():
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(publish_count=2)
    assert counted()["almanac_run_resends_total", ADD] == 1
    JobRun.objects.filter(pk=run.pk).update(publish_count=0)
    JobRun.objects.filter(pk=run.pk).update(publish_count=1)
    assert counted()["almanac_run_resends_total", ADD] == 1


@pytest.mark.django_db
def test_slots_that_never_ran_are_counted():
    JobRun.objects.create(
        job=ADD, queue="default", trigger="schedule", status="missed", queued_at=timezone.now()
    )
    assert counted()["almanac_runs_total", ADD, "missed"] == 1


@pytest.mark.django_db
def test_the_triggers_know_every_status_that_ends_a_run():
    for number, status in enumerate(JobRun.Status.terminal(), start=1):
        JobRun.objects.create(
            job=ADD, queue="default", trigger="code", status=status, queued_at=timezone.now()
        )
        assert RunTally.objects.count() == number, status
    for status in JobRun.Status.active():
        JobRun.objects.create(
            job=ADD, queue="default", trigger="code", status=status, queued_at=timezone.now()
        )
    assert RunTally.objects.count() == len(JobRun.Status.terminal())


@pytest.mark.django_db
def test_tasks_that_are_no_jobs_share_one_label():
    for number in range(5):
        JobRun.objects.create(
            job=f"foreign.task_{number}",
            queue=f"queue {number}",
            trigger="code",
            status="succeeded" if number else "queued",
            queued_at=timezone.now(),
        )
    found = everything()
    assert found["almanac_runs_total", "other", "succeeded"] == 4
    assert found["almanac_runs_active", "other", "queued"] == 1
    jobs = {key[1] for key in found if key[0] == "almanac_runs_total"}
    assert jobs == {*(job.name for job in all_jobs()), "other"}
    totals.fold()
    assert not MetricTotal.objects.filter(subject__startswith="foreign").exists()


@pytest.mark.django_db
def test_what_waits_is_told_by_queue():
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(
        queued_at=timezone.now() - timedelta(seconds=90), published_at=None
    )
    waiting = tasks.add_numbers.enqueue(left=2)
    JobRun.objects.filter(pk=waiting.pk).update(status="waiting", waiting_for="limit")
    found = everything()
    assert found["almanac_runs_active", "default", "queued"] == 1
    assert found["almanac_runs_active", "default", "waiting"] == 1
    assert 90 <= found["almanac_queue_oldest_run_seconds", "default"] < 150
    assert found["almanac_queue_oldest_run_seconds", "publishing"] == 0
    assert found["almanac_outbox_unsent_runs",] == 1


@pytest.mark.django_db
def test_processes_are_told_without_their_names():
    now = timezone.now()
    for name, seen_at, kind, info in (
        ("w1@a", now, "worker", {"queues": ["default"], "concurrency": 2}),
        ("w2@b", now - timedelta(minutes=5), "worker", {"queues": ["default"], "concurrency": 2}),
        ("beat@a:1", now, "beat", {"lag_seconds": 0.25}),
    ):
        ProcessHeartbeat.objects.create(
            kind=kind, name=name, pid=1, started_at=now, seen_at=seen_at, info=info
        )
    found = everything()
    assert found["almanac_processes", "worker", "alive"] == 1
    assert found["almanac_processes", "worker", "silent"] == 1
    assert found["almanac_processes", "beat", "alive"] == 1
    assert found["almanac_queue_consumers", "default"] == 1
    assert found["almanac_worker_slots",] == 2
    assert found["almanac_scheduler_lag_seconds",] == 0.25
    assert not any("@" in str(part) for key in found for part in key)


@pytest.mark.django_db
def test_alerts_are_told_by_severity_and_state():
    now = timezone.now()
    for number, (severity, state) in enumerate(
        (("critical", "open"), ("high", "acknowledged"), ("low", "resolved"))
    ):
        Alert.objects.create(
            kind="testing.leak",
            fingerprint=str(number),
            severity=severity,
            state=state,
            app="testing",
            first_seen_at=now,
            last_seen_at=now,
            news_at=now,
        )
    found = everything()
    assert found["almanac_alerts", "critical", "open"] == 1
    assert found["almanac_alerts", "high", "acknowledged"] == 1
    assert sum(value for key, value in found.items() if key[0] == "almanac_alerts") == 2


@pytest.mark.django_db
def test_notifications_are_counted_by_kind_of_channel():
    channel = NotificationChannel.objects.create(name="Hook", kind="webhook")
    now = timezone.now()
    rows = [
        Delivery.objects.create(
            channel=channel,
            purpose="test",
            key=str(number),
            title="x",
            message={},
            created_at=now,
            due_at=now - timedelta(seconds=30),
            expires_at=now + timedelta(days=1),
        )
        for number in range(4)
    ]
    assert everything()["almanac_deliveries_due",] == 4
    assert 30 <= everything()["almanac_delivery_oldest_due_seconds",] < 90
    Delivery.objects.filter(pk__in=[row.pk for row in rows[:3]]).update(state="sent")
    Delivery.objects.filter(pk=rows[3].pk).update(state="failed", attempts=5)
    Delivery.objects.filter(pk=rows[3].pk).update(last_answer="500")
    found = everything()
    assert found["almanac_deliveries_total", "webhook", "sent"] == 3
    assert found["almanac_deliveries_total", "webhook", "failed"] == 1
    assert found["almanac_deliveries_due",] == 0


@pytest.mark.django_db(transaction=True)
def test_many_folding_at_once_count_everything_exactly_once():
    """Folding by several schedulers, while readers read and runs end."""
    RunTally.objects.bulk_create(RunTally(event="succeeded", job=ADD) for _ in range(3000))
    seen = []

    def fold():
        totals.fold()
        connection.close()

    def read():
        for _ in range(10):
            seen.append(counted()["almanac_runs_total", ADD, "succeeded"])
        connection.close()

    def tally():
        for _ in range(100):
            RunTally.objects.create(event="succeeded", job=ADD)
        connection.close()

    threads = [threading.Thread(target=target) for target in (fold, read, fold, tally, fold, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted()["almanac_runs_total", ADD, "succeeded"] == 3100
    assert all(3000 <= number <= 3100 for number in seen)
    totals.fold()
    assert MetricTotal.objects.get(series="event", subject=ADD, key="succeeded").count == 3100


# The endpoint


@pytest.fixture
def scrape_token():
    with override_settings(METRICS_TOKEN="a token for the scrape"):
        yield {"Authorization": "Bearer a token for the scrape"}


@pytest.mark.django_db(transaction=True)
def test_the_scrape_token_opens_metrics_and_nothing_else(client, nobody, scrape_token):
    assert nobody.get("/metrics").status_code == 401
    assert nobody.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    answer = nobody.get("/metrics", headers=scrape_token)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert nobody.get("/api/v1/workers/", headers=scrape_token).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_who_may_see_the_system_may_read_metrics(make_client):
    assert make_client("view_system").get("/metrics").status_code == 200
    assert make_client("view_jobrun", username="bea").get("/metrics").status_code == 403


@pytest.mark.django_db(transaction=True)
def test_without_a_token_in_the_settings_an_empty_one_opens_nothing(nobody):
    assert nobody.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8", parse_text),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0",
            parse_openmetrics,
        ),
        ("application/openmetrics-text; version=x", "text/plain; version=0.0.4; charset=utf-8", parse_text),
    ],
)
def test_both_formats_are_spoken(nobody, scrape_token, accept, content_type, parse):
    execute(tasks.add_numbers.enqueue(left=1))
    answer = nobody.get("/metrics", headers={**scrape_token, "Accept": accept})
    assert answer["Content-Type"].startswith(content_type)
    found = samples(parse(answer.content.decode()))
    assert found["almanac_runs_total", ADD, "succeeded"] == 1
    assert found["almanac_up", "database"] == 1
    assert found["almanac_up", "broker"] == 1


@pytest.mark.django_db(transaction=True)
def test_a_broken_collector_does_not_silence_the_others(nobody, scrape_token, monkeypatch, caplog):
    def broken():
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(scrape, "all_collectors", lambda: [broken, *all_collectors()])
    found = samples(parse_text(nobody.get("/metrics", headers=scrape_token).content.decode()))
    assert {value for key, value in found.items() if key[0] == "almanac_collector_up"} == {0, 1}
    assert found["almanac_runs_total", ADD, "succeeded"] == 0
    assert "cannot be told" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_requests_are_counted_by_route(client, nobody, scrape_token):
    client.get("/api/v1/runs/")
    client.get("/api/v1/runs/?status=nonsense")
    client.get("/no/such/place")
    client.generic("BREW", "/api/v1/runs/")
    counts.flush()
    found = counted()
    assert found["almanac_http_requests_total", "api:run-list", "GET", "200"] >= 1
    assert found["almanac_http_requests_total", "api:run-list", "GET", "400"] >= 1
    assert found["almanac_http_requests_total", "unknown", "GET", "404"] >= 1
    assert found["almanac_http_requests_total", "api:run-list", "other", "405"] >= 1
    assert found["almanac_http_request_duration_seconds_count", "api"] >= 3
    before = counted()
    counts.flush()
    assert counted() == before


@pytest.mark.django_db(transaction=True)
def test_a_count_of_requests_survives_an_outage_of_the_database(nobody, monkeypatch):
    from django.db import OperationalError

    counts.flush()
    MetricTotal.objects.all().delete()
    nobody.get("/healthz")

    def refuse(rows):
        list(rows)
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(totals, "add", refuse)
        counts.flush()
    assert not MetricTotal.objects.exists()
    counts.flush()
    assert counted()["almanac_http_requests_total", "alive", "GET", "200"] == 1
