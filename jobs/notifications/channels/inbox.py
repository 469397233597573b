"""The inbox inside this application: nothing to set up, nothing that can be away."""

from typing import ClassVar

from django.contrib.auth.models import Permission, User
from django.db.models import Q, QuerySet
from pydantic import Field

from jobs.models import Alert, InboxMessage, visibility_of
from jobs.notifications.channels.base import Answer, ChannelKind, Envelope, Settings, register
from jobs.notifications.errors import NotNow
from jobs.notifications.message import Message

_MAY_READ = "view_inboxmessage"


class InboxSettings(Settings):
    """Whose inboxes; neither users nor groups: everybody who may read one."""

    users: list[str] = Field(default=[], max_length=500, title="Users", description="Usernames.")
    groups: list[str] = Field(default=[], max_length=100, title="Groups", description="Names of groups.")


@register
class Inbox(ChannelKind[InboxSettings]):
    """Puts messages into the inbox that each user has here. Without users and groups: of all who may read one."""

    name: ClassVar[str] = "inbox"
    label: ClassVar[str] = "Inbox"
    icon: ClassVar[str] = "inbox"
    parameters: ClassVar[type[Settings]] = InboxSettings

    def address(self, settings: InboxSettings) -> str:
        return ", ".join([*settings.users, *settings.groups]) or "everybody with an inbox"

    def send(self, envelope: Envelope[InboxSettings]) -> Answer:
        """Exactly once: a message that a user has from an earlier attempt stays the only one."""
        message = envelope.message
        users = list(readers(envelope.settings))
        if not users:
            raise NotNow("Nobody is there who may read an inbox.")
        copies = [(user, message.for_reader(visibility_of(user).includes)) for user in users]
        alert_id = _alert_of(message)
        InboxMessage.objects.bulk_create(
            [
                InboxMessage(
                    user=user,
                    delivery_id=envelope.id,
                    alert_id=alert_id,
                    title=f"{copy.change}: {copy.title}"[:300] if copy.change else copy.title,
                    text=copy.plain(),
                    severity=copy.severity,
                    link=copy.path,
                    at=copy.at,
                )
                for user, copy in copies
                if copy is not None
            ],
            ignore_conflicts=True,
        )
        reached = sum(copy is not None for _, copy in copies)
        return Answer(text=f"In the inbox of {reached}.")


def _alert_of(message: Message) -> int | None:
    """The alert that the message is about, unless it was deleted meanwhile."""
    alert = message.data.get("alert")
    named = Alert.objects.filter(pk=alert["id"]) if isinstance(alert, dict) else Alert.objects.none()
    return named.values_list("pk", flat=True).first()


def readers(settings: InboxSettings) -> QuerySet[User]:
    """The active users whose inboxes are meant."""
    active = User.objects.filter(is_active=True)
    if settings.users or settings.groups:
        chosen = Q(username__in=settings.users) | Q(groups__name__in=settings.groups)
        return active.filter(chosen).distinct()
    holders = Permission.objects.filter(content_type__app_label="jobs", codename=_MAY_READ)
    may_read = Q(is_superuser=True) | Q(user_permissions__in=holders) | Q(groups__permissions__in=holders)
    return active.filter(may_read).distinct()
