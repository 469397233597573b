"""The control plane's tables: the run ledger, its logs, schedules and heartbeats."""

from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy
from jobs.models.totals import MetricTotal, RunTally

__all__ = [
    "JobRun",
    "MetricTotal",
    "ProcessHeartbeat",
    "RunLog",
    "RunTally",
    "Schedule",
    "SchedulePolicy",
    "first_run_id",
    "new_run_id",
]
