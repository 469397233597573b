"""How alerts end by themselves: rules that find, among a kind's live alerts, those whose cause was seen well.

Each rule asks one question of the database for all alerts at once.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q

from jobs.models import Alert, SchedulePolicy

#: How many of the latest runs of a job or schedule are looked at.
LATEST = 500
#: What is looked for every few seconds and was not seen for so long is over.
UNSEEN = timedelta(seconds=15)

# Runs are grouped by schedule: each group that failed must have succeeded since. Runs without a schedule are one
# group, which recovers with any success of the job.
_SUCCEEDED_SINCE = """
SELECT wanted.id FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS wanted(id, job, cause, since, seen)
CROSS JOIN LATERAL (
    SELECT max(finished_at) FILTER (WHERE status IN ('succeeded', 'partial')) AS well_at
    FROM (SELECT status, finished_at FROM jobs_jobrun WHERE job = wanted.job ORDER BY id DESC LIMIT %s) latest
) any_run
WHERE any_run.well_at > wanted.seen AND NOT EXISTS (
    SELECT FROM (
        SELECT schedule_id, status, finished_at, error_fingerprint FROM jobs_jobrun
        WHERE job = wanted.job ORDER BY id DESC LIMIT %s
    ) latest
    WHERE schedule_id IS NOT NULL AND finished_at >= wanted.since
    GROUP BY schedule_id
    HAVING max(finished_at) FILTER (WHERE status = 'failed' AND error_fingerprint = wanted.cause)
        > COALESCE(max(finished_at) FILTER (WHERE status IN ('succeeded', 'partial')), '-infinity')
)
"""


def after_success(alerts: list[Alert], at: datetime) -> Iterable[Alert]:
    """Failures of a job: it succeeded since, and so did each of its schedules that failed for this cause."""
    columns: list[list[Any]] = [
        [alert.pk for alert in alerts],
        [alert.job for alert in alerts],
        [alert.context.get("error_fingerprint", "") for alert in alerts],
        [alert.bad_since or alert.first_seen_at for alert in alerts],
        [alert.last_seen_at for alert in alerts],
    ]
    return _among(alerts, _ids(_SUCCEEDED_SINCE, [*columns, LATEST, LATEST]))


_RAN_LATER = """
SELECT wanted.id FROM unnest(%s::bigint[], %s::int[], %s::text[], %s::timestamptz[]) AS wanted(id, schedule, job, seen)
WHERE EXISTS (
    SELECT FROM (
        SELECT status, finished_at FROM jobs_jobrun
        WHERE schedule_id = wanted.schedule ORDER BY id DESC LIMIT 20
    ) latest
    WHERE status IN ('succeeded', 'partial') AND finished_at > wanted.seen
) OR wanted.schedule IS NULL AND EXISTS (
    SELECT FROM (SELECT status, finished_at FROM jobs_jobrun WHERE job = wanted.job ORDER BY id DESC LIMIT 20) latest
    WHERE status IN ('succeeded', 'partial') AND finished_at > wanted.seen
)
"""


def after_later_slot(alerts: list[Alert], at: datetime) -> Iterable[Alert]:
    """Missed slots: a run of the schedule (or of the job, without one) succeeded since."""
    columns: list[list[Any]] = [
        [alert.pk for alert in alerts],
        [int(alert.subject_id) if alert.subject_type == "schedule" else None for alert in alerts],
        [alert.job for alert in alerts],
        [alert.last_seen_at for alert in alerts],
    ]
    return _among(alerts, _ids(_RAN_LATER, columns))


def when_unseen(alerts: list[Alert], at: datetime) -> Iterable[Alert]:
    """What somebody would have seen again by now, as it is looked for every few seconds."""
    return [alert for alert in alerts if alert.last_seen_at <= at - UNSEEN]


def when_resumed(alerts: list[Alert], at: datetime) -> Iterable[Alert]:
    """Schedules paused by failures: they are no longer paused, or no longer there."""
    wanted = {int(alert.subject_id) for alert in alerts if alert.subject_type == "schedule"}
    is_paused = Q(paused_at__isnull=False) & (Q(paused_until=None) | Q(paused_until__gt=at))
    paused = set(SchedulePolicy.objects.filter(is_paused, pk__in=wanted).values_list("pk", flat=True))
    return [alert for alert in alerts if int(alert.subject_id) not in paused]


def _ids(statement: str, parameters: list[Any]) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return {row[0] for row in cursor.fetchall()}


def _among(alerts: list[Alert], ids: set[int]) -> list[Alert]:
    return [alert for alert in alerts if alert.pk in ids]
