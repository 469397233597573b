"""A canary for each queue: a run that does nothing, to see that the queue moves.

The watch sends one to every queue that a living worker takes from, every `JOBS_CANARY_SECONDS`. So a queue that has no
worker by choice gets none and stays quiet; and a canary depends on no queue but its own. One that is not taken
although a worker of its queue has a free process is silent: the worker may have lost its broker without noticing.

Of each queue the latest canary is kept; older ones go when the next is sent.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count

from jobs import heartbeats, intake, outbox, retention
from jobs.alerts import subjects
from jobs.alerts.names import CANARY_SILENT
from jobs.alerts.raising import raise_alert, report_good, resolve
from jobs.models import Alert, JobRun, ProcessHeartbeat

JOB = "jobs.heartbeat"
#: A canary that waits for longer than this beside a free process is silent.
SILENT_AFTER = timedelta(seconds=60)

Status = JobRun.Status


def send_due(at: datetime) -> list[str]:
    """Send a canary to each queue with a living worker whose last one is old enough; returns the queues."""
    if settings.JOBS_CANARY_SECONDS <= 0:
        return []
    every = timedelta(seconds=settings.JOBS_CANARY_SECONDS)
    canaries = list(JobRun.objects.filter(job=JOB).only("id", "queue", "status", "queued_at").order_by("-pk"))
    recent = {run.queue for run in canaries if run.is_active or run.queued_at > at - every}
    due = sorted(_served(at) - recent)
    retention.forget([run.pk for run in canaries if run.queue in due])
    for queue in due:
        run, _ = intake.insert(
            intake.NewRun(
                job=JOB,
                queue=queue,
                trigger=JobRun.Trigger.CODE,
                parameters={"queue": queue},
                priority=0,
                expires_at=at + max(every, 5 * SILENT_AFTER),
            )
        )
        outbox.send_on_commit(run)
    return due


def watch(at: datetime) -> None:
    """Tell of silent canaries, of queues that move again, and of queues that nobody serves any more."""
    canaries = JobRun.objects.filter(job=JOB).only("id", "queue", "status", "queued_at", "started_at")
    for run in canaries.order_by("queue", "pk"):
        if run.status == Status.QUEUED and run.queued_at <= at - SILENT_AFTER:
            if _has_free_process(run.queue, at):
                _tell(run, at)
        elif run.started_at is not None:
            report_good(CANARY_SILENT, f"queue:{run.queue}", reason="Its canary was taken again.", at=at)
    served = _served(at)
    for alert in Alert.objects.live().filter(kind=CANARY_SILENT).exclude(subject_id__in=served):
        resolve(CANARY_SILENT, alert.fingerprint, reason="No worker takes from it any more.", at=at)


def _tell(run: JobRun, at: datetime) -> None:
    waited = round((at - run.queued_at).total_seconds())
    raise_alert(
        CANARY_SILENT,
        subject=subjects.of_queue(run.queue),
        title=f"The queue {run.queue} does not move",
        message=f"Its canary has waited for {waited} s, although a worker has a free process.",
        context={"runs": [str(run.pk)]},
        since=run.queued_at,
        at=at,
    )


def _served(at: datetime) -> set[str]:
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, at)
    return _known({queue for worker in workers for queue in worker.info.get("queues", [])})


def _known(queues: Iterable[str]) -> set[str]:
    return set(queues) & set(settings.JOBS_QUEUES)


def _has_free_process(queue: str, at: datetime) -> bool:
    """Whether a living worker of the queue runs fewer runs than it could."""
    workers = [
        worker
        for worker in heartbeats.alive(ProcessHeartbeat.Kind.WORKER, at)
        if queue in worker.info.get("queues", [])
    ]
    running = dict(
        JobRun.objects.filter(status=Status.RUNNING, worker__in=[worker.name for worker in workers])
        .order_by()
        .values_list("worker")
        .annotate(count=Count("pk"))
    )
    return any(running.get(worker.name, 0) < (worker.info.get("concurrency") or 0) for worker in workers)
