"""The log of a run: lines of its body, and the control plane's own."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from jobs.models import JobRun, RunLog


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line for a run's log."""

    at: datetime
    level: int
    message: str


_WRITE = """
INSERT INTO jobs_runlog (run_id, attempt, at, level, message)
SELECT r.id, r.attempt, line.at, line.level, line.message
FROM jobs_jobrun r, unnest(%s::timestamptz[], %s::int[], %s::text[]) WITH ORDINALITY AS line(at, level, message, n)
WHERE r.id = %s AND r.attempt = %s AND r.status = 'running'
ORDER BY line.n
"""


def write(run_id: uuid.UUID, attempt: int, lines: Iterable[LogLine]) -> None:
    """Append log lines, unless the attempt is superseded."""
    lines = list(lines)
    if not lines:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            [
                [line.at for line in lines],
                [line.level for line in lines],
                [line.message for line in lines],
                run_id,
                attempt,
            ],
        )


def note(run: JobRun, message: str, *, level: int = RunLog.Level.INFO) -> None:
    """Add a line of the control plane's own to a run's log."""
    RunLog.objects.create(run=run, attempt=run.attempt, at=timezone.now(), level=level, message=message)
