"""What must hold after any disaster."""

from collections.abc import Iterable

from django_celery_results.models import TaskResult

from jobs.models import JobRun
from jobs.slots import OVERTAKEN
from tests.jobs_for_tests.models import Mark

Status = JobRun.Status


def expect_each_ended_once(runs: Iterable[JobRun], *, attempts: int) -> None:
    """Each run succeeded with at most so many attempts, its body came to its end once, and nothing began after."""
    for run in runs:
        row = JobRun.objects.get(pk=run.pk)
        assert (row.status, row.reason) == (Status.SUCCEEDED, ""), row
        assert 1 <= row.attempt <= attempts, row
        marks = list(Mark.objects.filter(run_id=str(run.id)).order_by("id").values_list("what", "attempt"))
        assert [mark for mark in marks if mark[0] == "end"] == [("end", row.attempt)], marks
        assert marks[-1] == ("end", row.attempt), marks
        assert len(marks) == len(set(marks)), marks
        assert TaskResult.objects.get(task_id=str(run.id)).status == "SUCCESS"


def expect_one_outcome_a_slot(schedule_ids: Iterable[int], *, seconds: int) -> list[JobRun]:
    """The slots of each interval schedule follow each other without a gap, each with one row that has ended.

    Returns the rows, without the slot that switching off the schedule at the end may have overtaken.
    """
    found = []
    for schedule_id in schedule_ids:
        rows = list(JobRun.objects.filter(schedule_id=schedule_id).order_by("scheduled_for"))
        assert rows, f"schedule {schedule_id} has no slots"
        slots = [row.scheduled_for.timestamp() for row in rows if row.scheduled_for]
        assert slots == [slots[0] + seconds * number for number in range(len(rows))]
        assert not [row for row in rows if row.is_active]
        found += rows[:-1] if rows[-1].reason == OVERTAKEN else rows
    return found
