"""The admin: what operators see and do. Importing this package registers every page."""

from jobs.admin import (
    alerts,
    audit_trail,
    dashboard,
    inbox,
    maintenance,
    notification_channels,
    notification_deliveries,
    notification_rules,
    overview,
    processes,
    runs,
    schedules,
)

__all__ = [
    "alerts",
    "audit_trail",
    "dashboard",
    "inbox",
    "maintenance",
    "notification_channels",
    "notification_deliveries",
    "notification_rules",
    "overview",
    "processes",
    "runs",
    "schedules",
]
