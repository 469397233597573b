import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from django_celery_results.models import TaskResult

from jobs import intake, ledger, log_lines, retention
from jobs.intake import NewRun
from jobs.log_lines import LogLine
from jobs.models import JobRun, RunAttempt, RunLog, SchedulePolicy, first_run_id
from jobs.retention import Pruned
from jobs.tests.schedules_for_tests import at, crontab_row, schedule
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
MONTH = timedelta(days=30)


def age(run, days):
    """Make a run as if it had been made and ended so many days ago; gives it with its new id."""
    then = timezone.now() - timedelta(days=days)
    new_id = type(run.id)(int=first_run_id(then).int | run.id.int & (1 << 80) - 1)
    TaskResult.objects.filter(task_id=str(run.id)).update(task_id=str(new_id))
    RunLog.objects.filter(run=run).delete()
    JobRun.objects.filter(pk=run.pk).update(id=new_id, queued_at=then, finished_at=then)
    RunLog.objects.create(run_id=new_id, attempt=1, at=then, message="Done.")
    return JobRun.objects.get(pk=new_id)


def ended(days):
    return age(execute(tasks.add_numbers.enqueue(left=1)), days)


def test_old_runs_go_with_their_logs_and_results_and_young_ones_stay():
    old, young = ended(31), ended(29)
    assert retention.prune(older_than=MONTH) == Pruned(runs=1, logs=1, results=1)
    assert list(JobRun.objects.all()) == [young]
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == [str(young.id)]
    assert not RunLog.objects.filter(run_id=old.id).exists()


def test_active_runs_stay_however_old():
    run = ended(100)
    JobRun.objects.filter(pk=run.pk).update(status="running", finished_at=None)
    assert retention.prune(older_than=MONTH) == Pruned()


def test_a_dry_run_counts_and_deletes_nothing():
    ended(31)
    assert retention.prune(older_than=MONTH, dry_run=True) == Pruned(runs=1, logs=1, results=1)
    assert JobRun.objects.count() == 1


def test_batches_go_on_until_nothing_is_left(monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        ended(31)
    assert retention.prune(older_than=MONTH).runs == 5
    assert not JobRun.objects.exists()


def test_a_younger_retry_loses_its_link_and_stays():
    old = ended(31)
    again = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=again.pk).update(retry_of=old)
    retention.prune(older_than=MONTH)
    again.refresh_from_db()
    assert again.retry_of is None


def test_runs_with_ids_from_elsewhere_are_found_too():
    import uuid

    foreign = uuid.UUID("ffffffff-0000-4000-8000-000000000000")
    new = NewRun(id=foreign, job="foreign.add", queue="default", trigger=JobRun.Trigger.CODE, parameters={})
    intake.insert(new)
    JobRun.objects.update(status="succeeded", finished_at=timezone.now() - timedelta(days=31))
    assert retention.prune(older_than=MONTH).runs == 1


def test_a_batch_costs_the_same_queries_however_many_runs(django_assert_max_num_queries):
    for _ in range(10):
        ended(31)
    with django_assert_max_num_queries(16):
        retention.prune(older_than=MONTH)


def command(*arguments):
    out = io.StringIO()
    call_command("prune_runs", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tells_what_it_did():
    ended(31)
    assert command("--older-than", "30", "--dry-run") == (
        "Would delete 1 runs, 1 log lines and 1 task results.\n"
    )
    assert command() == "Deleted 0 runs, 0 log lines and 0 task results.\n"  # 90 days by default
    assert command("--older-than", "30") == "Deleted 1 runs, 1 log lines and 1 task results.\n"


@pytest.mark.parametrize("days", ["x", "-1", "nan", "inf", "1e300"])
def test_an_age_that_makes_no_sense_is_refused(days):
    with pytest.raises(CommandError, match="older-than"):
        command(f"--older-than={days}")


def test_lines_of_a_log_are_not_lost_by_accident():
    run = tasks.add_numbers.enqueue(left=1)
    ledger.claim(run.id, worker="w", pid=1)
    log_lines.write(run.id, 1, [LogLine(at=timezone.now(), level=20, message="a")])
    retention.prune(older_than=timedelta())
    assert RunLog.objects.count() == 1


class TestRulesOfSchedules:
    def of_schedule(self, days, **rules):
        """A schedule with these rules, and its runs that ended so many days ago, newest last."""
        task = schedule(crontab_row("0 * * * *"), made_at=at("2026-03-01 00:00"), name=str(rules))
        SchedulePolicy.objects.filter(pk=task.pk).update(**rules)
        runs = [ended(age_in_days) for age_in_days in days]
        JobRun.objects.filter(pk__in=[run.pk for run in runs]).update(schedule=task)
        return runs

    def left(self):
        return set(JobRun.objects.values_list("pk", flat=True))

    def test_some_keep_their_runs_for_longer_and_some_for_less(self):
        longer = self.of_schedule([100, 40], keep_days=60)
        shorter = self.of_schedule([10, 2], keep_days=5)
        usual = ended(40)
        assert retention.prune(older_than=MONTH, dry_run=True).runs == 3
        assert retention.prune(older_than=MONTH).runs == 3
        assert self.left() == {longer[1].pk, shorter[1].pk}
        assert usual.pk not in self.left()

    def test_some_keep_so_many(self):
        runs = self.of_schedule([9, 8, 7, 6, 5], keep_runs=2)
        others = self.of_schedule([9, 8], keep_runs=2, keep_days=50)
        assert retention.prune(older_than=MONTH).runs == 3
        assert self.left() == {run.pk for run in (*runs[3:], *others)}

    def test_active_runs_neither_go_nor_count(self):
        runs = self.of_schedule([9, 8, 7], keep_runs=1)
        JobRun.objects.filter(pk=runs[2].pk).update(status="running", finished_at=None)
        assert retention.prune(older_than=MONTH).runs == 1
        assert self.left() == {runs[1].pk, runs[2].pk}

    def test_age_and_number_hold_together(self):
        runs = self.of_schedule([40, 20, 10, 1], keep_days=30, keep_runs=2)
        retention.prune(older_than=timedelta(days=365))
        assert self.left() == {run.pk for run in runs[2:]}


def test_earlier_attempts_go_with_their_run():
    run = ended(31)
    RunAttempt.objects.create(
        run=run, attempt=1, ended="failed", started_at=run.queued_at, ended_at=run.queued_at
    )
    assert retention.prune(older_than=MONTH).runs == 1
    assert not RunAttempt.objects.exists()
