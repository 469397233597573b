"""The control plane's tables: the run ledger, its logs, schedules, heartbeats and alerts."""

from jobs.models.alert import Alert, AlertEvent, AlertRead, AlertWatch
from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy

__all__ = [
    "Alert",
    "AlertEvent",
    "AlertRead",
    "AlertWatch",
    "JobRun",
    "ProcessHeartbeat",
    "RunLog",
    "Schedule",
    "SchedulePolicy",
    "first_run_id",
    "new_run_id",
]
