"""The kinds of alerts that knowledge raises."""

from datetime import timedelta

from jobs.alerts import Kind, register
from jobs.models import Alert
from knowledge import reports, troubles

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
    ),
    Kind(
        name=reports.INCOMPLETE,
        title="Update incomplete",
        severity=Alert.Severity.MEDIUM,
        help_text="An update could not ask some source for some topic, or could not embed some paper. The rest is here.",
        runbook="Read the reasons. What a source did not say tonight it says tomorrow: its window overlaps.\n"
        "A query that a source refuses must be changed at its topic.\n"
        "Run the update again when the cause is mended; the alert ends with the first one that goes well.",
        reopens_within=timedelta(days=2),
    ),
)
