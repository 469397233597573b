"""The admin: what operators see and do. Importing this package registers every page."""

from jobs.admin import (
    accounts,
    alerts,
    dashboard,
    overview,
    processes,
    runs,
    schedules,
)

__all__ = [
    "accounts",
    "alerts",
    "dashboard",
    "overview",
    "processes",
    "runs",
    "schedules",
]
