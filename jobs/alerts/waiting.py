"""Runs that wait too long, or have no worker to wait for, or run too long: asked at every look."""

from datetime import datetime, timedelta

from django.db import connection

from jobs import heartbeats, history
from jobs.alerts import canary, subjects
from jobs.alerts.incidents import Span
from jobs.alerts.names import NO_WORKER, RUN_LATE, RUN_TOO_LONG
from jobs.alerts.raising import raise_alert
from jobs.history import Durations
from jobs.models import JobRun, ProcessHeartbeat

#: A run that waits for longer than this, for a queue that has workers, is late.
LATE_AFTER = timedelta(minutes=5)
#: A run that takes so many times the 90th percentile of its job's latest runs takes too long; and at least so
#: much longer, with at least so many runs to compare with.
TIMES_P90 = 3.0
AT_LEAST_LONGER = timedelta(seconds=60)
RUNS_TO_COMPARE = 5

#: Of a longer backlog the oldest runs are looked at: a look stays cheap, and what is hidden behind them comes next.
BACKLOG = 10_000

_OLDEST = """
(SELECT * FROM jobs_jobrun WHERE status = 'queued' ORDER BY id LIMIT %s) oldest
"""

_UNSERVED = f"""
SELECT queue, count(*) FROM {_OLDEST}
WHERE NOT queue = ANY(%s) AND job <> %s GROUP BY queue ORDER BY queue
"""  # noqa: S608 - our own words

# Since when the present attempt may be taken by a worker: not while it waited for its turn or to be retried.
_LATE = f"""
SELECT job, queue, owner_group_id, count(*), min(since), (array_agg(id ORDER BY id))[1:5] FROM (
    SELECT id, job, queue, owner_group_id, GREATEST(queued_at, admitted_at, first_published_at) AS since
    FROM {_OLDEST} WHERE queue = ANY(%s) AND job <> %s
) queued
WHERE since < %s AND NOT EXISTS (
    SELECT FROM unnest(%s::timestamptz[], %s::timestamptz[]) AS span(began, until)
    WHERE since BETWEEN began AND until)
GROUP BY job, queue, owner_group_id ORDER BY job, queue, owner_group_id
"""  # noqa: S608 - our own words


def watch_queues(at: datetime, spans: list[Span]) -> None:
    """Runs whose queue has no worker, and runs that wait too long although it has."""
    workers = heartbeats.alive(ProcessHeartbeat.Kind.WORKER, at)
    served = sorted({queue for worker in workers for queue in worker.info.get("queues", [])})
    _watch_unserved(at, served, any_worker=bool(workers))
    _watch_late(at, served, spans)


def _watch_unserved(at: datetime, served: list[str], *, any_worker: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_UNSERVED, [BACKLOG, served, canary.JOB])
        unserved = cursor.fetchall()
    if unserved and not any_worker:
        waiting = sum(count for _, count in unserved)
        _tell_of_no_worker("*", "No worker is running", waiting, at)
        return
    for queue, waiting in unserved:
        _tell_of_no_worker(queue, f"No worker takes from {queue}", waiting, at)


def _tell_of_no_worker(queue: str, title: str, waiting: int, at: datetime) -> None:
    runs = "1 run waits" if waiting == 1 else f"{waiting} runs wait"
    raise_alert(
        NO_WORKER,
        subject=subjects.of_queue(queue),
        title=title,
        message=f"{runs} for one to be started.",
        context={"waiting": waiting},
        at=at,
    )


def _watch_late(at: datetime, served: list[str], spans: list[Span]) -> None:
    """Late runs of one job are one alert; those that were queued during an outage are explained by it."""
    explained = [[span.began for span in spans], [span.until for span in spans]]
    with connection.cursor() as cursor:
        cursor.execute(_LATE, [BACKLOG, served, canary.JOB, at - LATE_AFTER, *explained])
        late = cursor.fetchall()
    for job, queue, owner_group_id, count, since, run_ids in late:
        subject = subjects.of_job(job)
        minutes = (at - since) // timedelta(minutes=1)
        runs = "1 run waits" if count == 1 else f"{count} runs wait"
        raise_alert(
            RUN_LATE,
            subject=subject,
            fingerprint=":".join([job, queue, *([f"group {owner_group_id}"] if owner_group_id else [])]),
            title=f"{subject.text} starts late",
            message=f"{runs} in the queue {queue}, the first for {minutes} minutes.",
            context={"runs": [str(run_id) for run_id in run_ids], "queue": queue},
            since=since + LATE_AFTER,
            at=at,
            job=job,
            owner_group_id=owner_group_id,
        )


def watch_running(at: datetime) -> None:
    """Runs that take far longer than runs of their job usually do; one alert for each job."""
    running = JobRun.objects.filter(
        status=JobRun.Status.RUNNING, started_at__lt=at - AT_LEAST_LONGER
    ).order_by("started_at")
    runs = list(running.only("id", "job", "started_at", "status", "finished_at", "owner_group_id"))
    typical = history.durations_by_job([run.job for run in runs]) if runs else {}
    told: set[str] = set()
    for run in runs:
        elapsed, usual = run.elapsed(at), typical.get(run.job)
        cause = f"{run.job}:group {run.owner_group_id}" if run.owner_group_id else run.job
        if elapsed is None or usual is None or cause in told or elapsed <= longest(usual):
            continue
        told.add(cause)
        subject = subjects.of_run(run.pk, run.job)
        raise_alert(
            RUN_TOO_LONG,
            subject=subject,
            fingerprint=cause,
            title=f"{subject.text} takes too long",
            message=f"It has run for {elapsed.total_seconds():.0f} s; 90 % of its runs need less than {usual.p90:.0f} s.",
            context={"runs": [str(run.pk)], "p90_seconds": usual.p90},
            at=at,
            job=run.job,
            owner_group_id=run.owner_group_id,
        )


def longest(usual: Durations) -> timedelta:
    """How long a run may take before it counts as too long."""
    if usual.runs < RUNS_TO_COMPARE:
        return timedelta.max
    p90 = timedelta(seconds=usual.p90)
    return max(TIMES_P90 * p90, p90 + AT_LEAST_LONGER)
