"""How runs come into the ledger: one row each, in the transaction of whoever asks."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.utils import timezone
from psycopg.types.json import Jsonb

from jobs import audit, tracing
from jobs.models import AuditEvent, JobRun


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """What a run needs to exist."""

    job: str
    queue: str
    trigger: JobRun.Trigger
    parameters: Mapping[str, Any]
    args: Sequence[Any] = ()
    priority: int = 5
    max_attempts: int = 1
    requested_by: AbstractBaseUser | None = None
    schedule_id: int | None = None
    retry_of: JobRun | None = None
    owner_group_id: int | None = None
    idempotency_key: str | None = None
    expires_at: datetime | None = None
    id: uuid.UUID | None = None


def run_id_of(task_id: str) -> uuid.UUID:
    """The id of the run behind a Celery task id: the same, or one derived from it when it is no UUID."""
    try:
        return uuid.UUID(task_id)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_OID, task_id)


_FIELDS = JobRun._meta.concrete_fields
# What a run has that must wait for a place within the limits of its job (see `jobs.admission`).
_WHEN_LIMITED = {
    "status": "'waiting'",
    "waiting_for": "'limit'",
    "waiting_since": "clock_timestamp()",
    "limit_key": "jobs_limit_key(%s::jsonb, l.key_by)",
    "published_at": "NULL::timestamptz",
    "first_published_at": "NULL::timestamptz",
    "publish_count": "0",
}
_COLUMNS = [str(field.column) for field in _FIELDS]
_VALUES = [
    f"CASE WHEN l.id IS NULL THEN %s ELSE {_WHEN_LIMITED[name]} END" if name in _WHEN_LIMITED else "%s"
    for name in _COLUMNS
]
_RETURNING = "RETURNING status, waiting_for, limit_key, owner_group_id"
_INSERT_LIMITED = (
    f"INSERT INTO jobs_jobrun ({', '.join(_COLUMNS)}) "  # noqa: S608 - names of our own
    f"SELECT {', '.join(_VALUES)} FROM (VALUES (%s)) AS new(job) LEFT JOIN jobs_joblimit l ON l.job = new.job "
    f"{_RETURNING}"
)
# Nearly every job has no limit: planning the statement above takes longer than executing this one.
_INSERT = (
    f"INSERT INTO jobs_jobrun ({', '.join(_COLUMNS)}) SELECT {', '.join(['%s'] * len(_COLUMNS))} "  # noqa: S608 - as above
    f"WHERE NOT EXISTS (SELECT FROM jobs_joblimit WHERE job = %s) {_RETURNING}"
)


#: Who asks for a run is told in the audit trail by the same statement: none without the other, and one round trip.
_EVENT_FIELDS = [
    field for field in AuditEvent._meta.concrete_fields if field.name not in ("id", "at", "owner_group_id")
]
_TELL = (
    "WITH run AS ({}), told AS ("  # noqa: S608 - names of our own
    f"INSERT INTO jobs_auditevent ({', '.join(str(field.column) for field in _EVENT_FIELDS)}, owner_group_id) "
    f"SELECT {', '.join(['%s'] * len(_EVENT_FIELDS))}, owner_group_id FROM run"
    ") SELECT status, waiting_for, limit_key, owner_group_id FROM run"
)


def _save(run: JobRun, by: AbstractBaseUser | None) -> None:
    """What `run.save(force_insert=True)` does, for half of its cost: the statement is always the same."""
    told: list[Any] = []
    frame = "{}"
    if by is not None:
        asked = f"Asked for a run: {run.get_trigger_display()}."
        event = audit.event(AuditEvent.Action.CONTROLLED, by=by, thing=run, message=asked)
        frame, told = _TELL, _values(event, _EVENT_FIELDS)
    values = _values(run, _FIELDS)
    with connection.cursor() as cursor:
        cursor.execute(frame.format(_INSERT), [*values, run.job, *told])
        row = cursor.fetchone()
        if row is None:
            cursor.execute(frame.format(_INSERT_LIMITED), [*_limited(values, run), *told])
            row = cursor.fetchone()
    # A trigger may have inherited the group.
    run.status, run.waiting_for, run.limit_key, run.owner_group_id = row
    if run.status == JobRun.Status.WAITING:
        run.published_at, run.first_published_at, run.publish_count = None, None, 0
    run._state.adding = False
    run._state.db = connection.alias


def _limited(values: list[Any], run: JobRun) -> list[Any]:
    """The values of the columns, and in between and at the end what the limits are looked up by."""
    given = []
    for column, value in zip(_COLUMNS, values, strict=True):
        given += [value, Jsonb(run.parameters)] if column == "limit_key" else [value]
    return [*given, run.job]


def _values(row: Model, fields: Sequence[Any]) -> list[Any]:
    return [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]


def insert(new: NewRun) -> tuple[JobRun, bool]:
    """Write a run in the caller's transaction; the flag is False when its idempotency key already had one."""
    if new.idempotency_key is not None:
        earlier = JobRun.objects.filter(job=new.job, idempotency_key=new.idempotency_key).first()
        if earlier is not None:
            return earlier, False
    now = timezone.now()
    run = JobRun(
        job=new.job,
        queue=new.queue,
        trigger=new.trigger,
        parameters=dict(new.parameters),
        args=list(new.args),
        priority=new.priority,
        max_attempts=new.max_attempts,
        requested_by_id=new.requested_by.pk if new.requested_by else None,
        schedule_id=new.schedule_id,
        retry_of=new.retry_of,
        owner_group_id=new.owner_group_id,
        idempotency_key=new.idempotency_key,
        expires_at=new.expires_at,
        queued_at=now,
        # Said before it is done: the caller sends it right after commit, and jobs.outbox sends it again when
        # no worker claims it.
        published_at=now,
        first_published_at=now,
        publish_count=1,
        traceparent=tracing.traceparent(),
    )
    if new.id is not None:
        run.id = new.id
    if new.idempotency_key is None:
        _save(run, new.requested_by)
        return run, True
    try:
        with transaction.atomic():
            _save(run, new.requested_by)
    except IntegrityError:  # the same key, at the same time
        return JobRun.objects.get(job=new.job, idempotency_key=new.idempotency_key), False
    return run, True
