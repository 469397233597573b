"""The control plane's tables: the run ledger, its logs and tallies, schedules and heartbeats."""

from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy
from jobs.models.tally import RunTally

__all__ = [
    "JobRun",
    "ProcessHeartbeat",
    "RunLog",
    "RunTally",
    "Schedule",
    "SchedulePolicy",
    "first_run_id",
    "new_run_id",
]
