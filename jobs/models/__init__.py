"""The control plane's tables: the run ledger, its logs, schedules with their policies, and heartbeats."""

from jobs.models.attempt import RunAttempt
from jobs.models.calendar import Calendar, CalendarDays, MaintenanceWindow
from jobs.models.failure import FailureDecision
from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.limit import JobLimit
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy

__all__ = [
    "Calendar",
    "CalendarDays",
    "FailureDecision",
    "JobLimit",
    "JobRun",
    "MaintenanceWindow",
    "ProcessHeartbeat",
    "RunAttempt",
    "RunLog",
    "Schedule",
    "SchedulePolicy",
    "first_run_id",
    "new_run_id",
]
