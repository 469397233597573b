"""The kinds of alerts that publishing raises."""

from jobs.alerts import Kind, register
from jobs.models import Alert
from publishing import troubles

Severity = Alert.Severity

register(
    Kind(
        name=troubles.POST_FAILED,
        title="Post failed",
        severity=Severity.HIGH,
        help_text="A publisher refused posts for good, and does not have them.",
        runbook="Read the reasons at the publications: wrong credentials, or a post that is not taken?\n"
        "Mend the cause and test the publisher.\n"
        "Send the posts again. Resolve the alert if they are no longer wanted.",
        find_good=troubles.without_any_left,
    ),
    Kind(
        name=troubles.POST_MISSED,
        title="Post missed",
        severity=Severity.HIGH,
        help_text="Posts could not be sent in time; they are not sent by themselves any more.",
        runbook="Read the reasons at the publications: was the publisher disabled, busy, out of reach, or were there no workers?\n"
        "Send again what is still wanted. Resolve the alert if nothing is.",
        find_good=troubles.without_any_left,
    ),
    Kind(
        name=troubles.POST_UNCONFIRMED,
        title="Post unconfirmed",
        severity=Severity.HIGH,
        help_text="Posts were sent to a publisher that did not say whether it has them, and that could not be asked.",
        runbook="Look at the publisher whether the posts are there.\n"
        "Confirm those that are, and send the others again.",
        find_good=troubles.without_any_left,
    ),
)

register(
    Kind(
        name=troubles.POST_UNCHANGED,
        title="Post not changed",
        severity=Severity.MEDIUM,
        help_text="A publisher shows posts as they were before a change, or shows posts that were to be taken back.",
        runbook="Read the reasons at the publications, and mend the cause.\nTry again, or change the posts there by hand.",
        find_good=troubles.without_any_left,
    )
)
