"""The event log: every change is told once, whoever makes it and whenever its transaction commits."""

import uuid
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from jobs import ledger, log_lines, reaper
from jobs.errors import InvalidInput
from jobs.ledger import Outcome, Progress
from jobs.live import log
from jobs.log_lines import LogLine
from jobs.models import JobRun, ProcessHeartbeat, Schedule, SchedulePolicy
from jobs.tests.schedules_for_tests import crontab_row, schedule
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(database_url) -> Iterator[psycopg.Connection]:
    """A second connection, whose transactions end when the test says so."""
    with psycopg.connect(database_url) as other:
        yield other
        other.rollback()


def statuses(news: log.News) -> list[str]:
    return [event.data["status"] for event in news.events if event.kind == "run"]


def claim(run: JobRun) -> int:
    claimed = ledger.claim(run.pk, worker="w@here", pid=1)
    assert claimed is not None
    return claimed.attempt


def test_every_step_of_a_run_is_told_in_order_with_what_it_was_then():
    start = log.now()
    run = tasks.add_numbers.enqueue(left=1)
    attempt = claim(run)
    ledger.renew(run.pk, attempt, Progress(percent=40, current=2, total=5, text="Adding"))
    ledger.renew(run.pk, attempt, Progress(percent=40, current=2, total=5, text="Adding"))  # only the lease
    ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.SUCCEEDED, progress=Progress(percent=100)))
    news = log.since(start)
    assert statuses(news) == ["queued", "running", "running", "succeeded"]
    assert [event.data["progress"] for event in news.events] == [0, 0, 40, 100]
    assert news.events[2].data["progress_text"] == "Adding"
    assert {event.subject for event in news.events} == {str(run.pk)}
    assert log.since(news.cursor).events == []


def test_what_the_reaper_changes_by_sql_is_told():
    run = tasks.fail_transiently.enqueue()
    attempt = claim(run)
    start = log.now()
    ledger.retry_later(run.pk, attempt, Outcome(status=JobRun.Status.FAILED), delay_seconds=0)
    reaper.promote_retries()
    claim(run)
    JobRun.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    reaper.recover_lost()
    assert statuses(log.since(start)) == ["retrying", "queued", "running", "queued"]


def test_transaction_that_began_before_the_cursor_and_commits_after_it_is_told_once(other):
    early = uuid.uuid4()
    insert = (
        "INSERT INTO jobs_jobrun (id, job, queue, priority, parameters, args, status, reason, trigger, attempt, "
        "max_attempts, queued_at, publish_count, worker, progress, progress_text, error_type, error_message, "
        "error_fingerprint, traceback) VALUES (%s, 'a', 'default', 5, '{}', '[]', 'queued', '', 'code', 0, 1, now(), "
        "0, '', 0, '', '', '', '', '')"
    )
    start = log.now()
    other.execute(insert, [early])
    late = tasks.add_numbers.enqueue(left=1)
    first = log.since(start)
    assert [event.subject for event in first.events] == [str(late.pk)]
    assert log.since(first.cursor).events == []
    resumed = log.Cursor.parse(str(first.cursor))
    other.commit()
    second = log.since(resumed)
    assert [event.subject for event in second.events] == [str(early)]
    assert log.since(second.cursor).events == []


def test_rolled_back_change_is_never_told():
    start = log.now()
    with transaction.atomic():
        tasks.add_numbers.enqueue(left=1)
        transaction.set_rollback(True)
    assert log.since(start).events == []


def test_log_lines_processes_and_schedules_are_told():
    run = tasks.add_numbers.enqueue(left=1)
    attempt = claim(run)
    planned = schedule(crontab_row("* * * * *"), made_at=timezone.now())
    start = log.now()
    lines = [LogLine(at=timezone.now(), level=20, message=message) for message in ("one", "two")]
    log_lines.write(run.pk, attempt, lines)
    now = timezone.now()
    worker = ProcessHeartbeat.objects.create(kind="worker", name="w@x", pid=1, started_at=now, seen_at=now)
    ProcessHeartbeat.objects.update(seen_at=now + timedelta(seconds=5))  # it still lives: no news
    worker.delete()
    SchedulePolicy.objects.filter(pk=planned.pk).update(next_slot_at=now)
    SchedulePolicy.objects.filter(pk=planned.pk).update(next_slot_at=now)
    Schedule.objects.filter(pk=planned.pk).delete()
    events = log.since(start).events
    assert [(event.kind, event.subject) for event in events][:3] == [
        ("log", str(run.pk)),
        ("worker", "w@x"),
        ("worker", "w@x"),
    ]
    assert list(events[0].data["lines"]) == list(run.logs.values_list("pk", flat=True))
    assert [event.data["state"] for event in events[1:3]] == ["alive", "gone"]
    assert [event.data["ids"] for event in events[3:]] == [[planned.pk], [planned.pk]]


def test_events_are_forgotten_only_when_every_reader_could_have_seen_them(other, monkeypatch):
    monkeypatch.setattr(log, "MARK_EVERY", timedelta(0))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_event, jobs_eventmark")
    run = tasks.add_numbers.enqueue(left=1)
    other.execute("UPDATE jobs_jobrun SET progress = 7 WHERE id = %s", [run.pk])
    assert log.prune() == 0  # nothing is old enough
    with connection.cursor() as cursor:
        cursor.execute("UPDATE jobs_eventmark SET taken_at = taken_at - interval '1 hour'")
    before = log.now()
    assert log.prune() == 1  # the enqueued run; the other transaction is still under way
    other.commit()
    news = log.since(before)
    assert [event.data["progress"] for event in news.events] == [7]
    assert not news.is_broken


def test_reader_that_was_away_too_long_is_told_to_start_anew(monkeypatch):
    old = log.now()
    monkeypatch.setattr(log, "KEPT", timedelta(0))
    monkeypatch.setattr(log, "MARK_EVERY", timedelta(0))
    log.prune()
    log.prune()
    news = log.since(old)
    assert news.is_broken
    assert not log.since(news.cursor).is_broken


def test_crash_of_the_database_that_empties_the_log_is_noticed():
    old = log.now()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE jobs_event, jobs_eventmark, jobs_eventepoch")
    news = log.since(old)
    assert news.is_broken
    assert news.cursor.epoch != old.epoch
    assert not log.since(news.cursor).is_broken


def test_cursor_of_a_database_that_was_replaced_is_noticed():
    here = log.now()
    far = log.Cursor(here.epoch, here.at, "9000000000:9000000000:")
    assert log.since(far).is_broken


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "12345678.1.",
        "12345678.1.5:6:7;",
        "12345678.1.5:6:" + "7," * 3000,
        f"12345678.1.5:{2**64}:",
        f"12345678.1.5:6:{2**64}",
    ],
)
def test_text_that_is_no_cursor_is_refused(text):
    with pytest.raises(InvalidInput):
        log.Cursor.parse(text)
