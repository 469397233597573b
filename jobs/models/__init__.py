"""The control plane's tables: the run ledger and its logs, schedules with their policies, alerts, heartbeats and the rest."""

from jobs.models.alert import Alert, AlertEvent, AlertRead, AlertWatch
from jobs.models.attempt import RunAttempt
from jobs.models.audit import AuditEvent
from jobs.models.calendar import Calendar, CalendarDays, MaintenanceWindow
from jobs.models.channel import REPORT, EscalationStep, NotificationChannel, NotificationRule
from jobs.models.failure import FailureDecision
from jobs.models.heartbeat import ProcessHeartbeat
from jobs.models.limit import JobLimit
from jobs.models.notification import Delivery, DeliveryAttempt, DigestEntry, Escalation, InboxMessage
from jobs.models.run import JobRun, RunLog, first_run_id, new_run_id
from jobs.models.schedule import Schedule, SchedulePolicy
from jobs.models.summary import RunSummary
from jobs.models.totals import MetricTotal, RunTally
from jobs.models.version import ScheduleVersion
from jobs.models.visibility import EVERYTHING, Visibility, visibility_of

__all__ = [
    "EVERYTHING",
    "REPORT",
    "Alert",
    "AlertEvent",
    "AlertRead",
    "AlertWatch",
    "AuditEvent",
    "Calendar",
    "CalendarDays",
    "Delivery",
    "DeliveryAttempt",
    "DigestEntry",
    "Escalation",
    "EscalationStep",
    "FailureDecision",
    "InboxMessage",
    "JobLimit",
    "JobRun",
    "MaintenanceWindow",
    "MetricTotal",
    "NotificationChannel",
    "NotificationRule",
    "ProcessHeartbeat",
    "RunAttempt",
    "RunLog",
    "RunSummary",
    "RunTally",
    "Schedule",
    "SchedulePolicy",
    "ScheduleVersion",
    "Visibility",
    "first_run_id",
    "new_run_id",
    "visibility_of",
]
