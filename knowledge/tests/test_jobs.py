"""The jobs of knowledge as the control plane knows them: which queues take them, and that a night is one night."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection

from jobs.definitions import all_jobs
from jobs.models import JobRun, SchedulePolicy
from jobs.sync import sync_schedules
from jobs.tests.schedules_for_tests import tick

OURS = {job.name: job for job in all_jobs() if job.name.startswith("knowledge.")}
#: What takes long or much memory has a queue apart, so that its workers can be counted apart.
PROCESSING = {"knowledge.process_papers", "knowledge.process_document", "knowledge.reembed"}


def test_each_job_has_a_queue_that_workers_take_from():
    assert {job.queue for job in OURS.values()} <= set(settings.JOBS_QUEUES)
    assert {name for name, job in OURS.items() if job.queue == "processing"} == PROCESSING


def test_what_goes_by_itself_has_a_default_schedule():
    assert {name for name, job in OURS.items() if job.schedule is not None} == {
        "knowledge.update_knowledge_base",
        "knowledge.sync_sources",
        "knowledge.process_papers",
        "knowledge.cleanup_documents",
        "knowledge.heartbeat",
    }


@pytest.mark.django_db(transaction=True)
def test_however_many_schedulers_there_are_a_night_is_one_run():
    sync_schedules()
    night = datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0) + timedelta(days=1)
    nightly = SchedulePolicy.objects.filter(task__task="knowledge.update_knowledge_base")
    tick(night - timedelta(hours=1))
    assert nightly.get().next_slot_at == night

    def work() -> None:
        tick(night + timedelta(seconds=1))
        connection.close()

    schedulers = [threading.Thread(target=work) for _ in range(4)]
    for scheduler in schedulers:
        scheduler.start()
    for scheduler in schedulers:
        scheduler.join(timeout=30)
    runs = JobRun.objects.filter(job="knowledge.update_knowledge_base", scheduled_for=night)
    assert runs.count() == 1
