"""Alerts: what is wrong now, told once.

`raise_alert` says that something is bad, `report_good` that it was seen well once, `resolve` that it is over. All
three may be called as often as one likes, from any process. Kinds are declared in `jobs.alerts.kinds`.
"""

from jobs.alerts.kinds import Kind, register
from jobs.alerts.raising import Subject, raise_alert, report_good, resolve

__all__ = ["Kind", "Subject", "raise_alert", "register", "report_good", "resolve"]
