"""The admin: what operators see and do. Importing this package registers every page."""

from jobs.admin import (
    accounts,
    dashboard,
    inbox,
    notification_channels,
    notification_deliveries,
    notification_rules,
    processes,
    runs,
    schedules,
)

__all__ = [
    "accounts",
    "dashboard",
    "inbox",
    "notification_channels",
    "notification_deliveries",
    "notification_rules",
    "processes",
    "runs",
    "schedules",
]
