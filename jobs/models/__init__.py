"""The control plane's tables: the run ledger, its logs, schedules and heartbeats."""

from jobs.models.audit import AuditEvent
from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy
from jobs.models.visibility import Visibility, visibility_of

__all__ = [
    "AuditEvent",
    "JobRun",
    "ProcessHeartbeat",
    "RunLog",
    "Schedule",
    "SchedulePolicy",
    "Visibility",
    "first_run_id",
    "new_run_id",
    "visibility_of",
]
