"""The control plane's tables: the run ledger, its logs, schedules and heartbeats."""

from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy
from jobs.models.version import ScheduleVersion

__all__ = [
    "JobRun",
    "ProcessHeartbeat",
    "RunLog",
    "Schedule",
    "SchedulePolicy",
    "ScheduleVersion",
    "first_run_id",
    "new_run_id",
]
