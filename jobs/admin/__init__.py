"""The admin: what operators see and do. Importing this package registers every page."""

from jobs.admin import audit_trail, dashboard, processes, runs, schedules

__all__ = ["audit_trail", "dashboard", "processes", "runs", "schedules"]
