"""The labels of notifications as template filters."""

from django import template

from jobs.notifications import looks

register = template.Library()
register.filter("delivery_badge", looks.delivery_badge)
register.filter("outcome_badge", looks.outcome_badge)
register.filter("alert_severity_badge", looks.severity_badge)
