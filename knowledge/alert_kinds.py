"""The kinds of alerts that knowledge raises."""

from datetime import timedelta

from jobs.alerts import Kind, register
from jobs.models import Alert
from knowledge import troubles

register(
    Kind(
        name=troubles.SOURCE_FAILING,
        title="Source of papers failing",
        severity=Alert.Severity.MEDIUM,
        help_text="A source of papers could not be asked by several updates in a row; nothing new comes from it.",
        runbook="Read the reason: is the service away, is a key refused, or does it not take a query?\n"
        "Look at the page of the source, and try it with `manage.py try_connector`.\n"
        "Mend the cause and run an update; disable the source if it is gone for good.",
        bad_in_a_row=3,
        reopens_within=timedelta(days=1),
    )
)
