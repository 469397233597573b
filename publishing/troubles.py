"""What is left to people: posts that failed, were missed, or that nobody knows of. One alert for each publisher and state."""

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from jobs.alerts import Subject, raise_alert
from jobs.models import Alert
from publishing.models import Publication

State = Publication.State

POST_FAILED = "publishing.post_failed"
POST_MISSED = "publishing.post_missed"
POST_UNCONFIRMED = "publishing.post_unconfirmed"
POST_UNCHANGED = "publishing.post_unchanged"

_KINDS = {
    State.FAILED: POST_FAILED,
    State.MISSED: POST_MISSED,
    State.UNCONFIRMED: POST_UNCONFIRMED,
    State.PUBLISHED: POST_UNCHANGED,
}
_STATES = {kind: state for state, kind in _KINDS.items()}
_TITLES = {
    State.FAILED: "{} refuses posts",
    State.MISSED: "{} misses posts",
    State.UNCONFIRMED: "Nobody knows whether {} has posts",
    State.PUBLISHED: "{} does not change posts, or take them back",
}


def tell(row: Publication) -> None:
    """Raise the alert of a publication that is left to people, in the transaction that left it to them."""
    state = State(row.state)
    query = urlencode({"state__exact": state, "publisher__id__exact": row.publisher_id})
    subject = Subject(
        type="publisher",
        id=str(row.publisher_id),
        text=row.publisher.name,
        link=f"{reverse('admin:publishing_publication_changelist')}?{query}",
    )
    raise_alert(
        _KINDS[state],
        subject=subject,
        title=_TITLES[state].format(row.publisher.name),
        message=f"{row.post}: {row.reason}",
        context={f"publication {row.pk}": str(row.post)},
    )


def without_any_left(alerts: list[Alert], at: datetime) -> Iterable[Alert]:
    """Of alerts of one kind those whose publisher has nothing left of it."""
    left = Publication.objects.left_to_people().filter(
        publisher__in=[int(alert.subject_id) for alert in alerts],
        state__in={_STATES[alert.kind] for alert in alerts},
    )
    ids = {str(pk) for pk in left.values_list("publisher_id", flat=True).distinct()}
    return [alert for alert in alerts if alert.subject_id not in ids]
