"""The control plane's tables: the run ledger, its logs, schedules and heartbeats."""

from jobs.models.attempt import RunAttempt
from jobs.models.failure import FailureDecision
from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy

__all__ = [
    "FailureDecision",
    "JobRun",
    "ProcessHeartbeat",
    "RunAttempt",
    "RunLog",
    "Schedule",
    "SchedulePolicy",
    "first_run_id",
    "new_run_id",
]
