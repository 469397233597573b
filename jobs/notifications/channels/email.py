"""Email, as plain text and HTML, from the templates in `templates/jobs/email/`."""

from typing import Annotated, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.urls import reverse
from pydantic import AfterValidator, Field, field_validator

from jobs.notifications import mail
from jobs.notifications.channels.base import Answer, ChannelKind, Envelope, Settings, register
from jobs.notifications.message import Message, absolute

#: So many people at most get one channel's emails, each one of their own.
MOST = 50
_TEMPLATES = {"digest": "digest", "report": "report", "test": "test"}


def email_address(text: str) -> str:
    """An email address; raises ValueError."""
    text = text.strip()
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValueError(f"{text[:100]!r} is not an email address.") from error
    return text


Address = Annotated[str, AfterValidator(email_address)]


class EmailSettings(Settings):
    """Settings of an email channel; the server is chosen by the environment."""

    to: list[Address] = Field(
        min_length=1,
        max_length=MOST,
        title="Recipients",
        description=f"Email addresses, at most {MOST}; each gets an email of their own.",
    )

    @field_validator("to")
    @classmethod
    def _each_once(cls, addresses: list[str]) -> list[str]:
        return list(dict.fromkeys(addresses))


@register
class Email(ChannelKind[EmailSettings]):
    """Sends an email to each recipient. The mail server is set by EMAIL_HOST and the other EMAIL_ settings."""

    name: ClassVar[str] = "email"
    label: ClassVar[str] = "Email"
    icon: ClassVar[str] = "mail"
    parameters: ClassVar[type[Settings]] = EmailSettings

    def recipients(self, settings: EmailSettings) -> list[str]:
        return settings.to

    def address(self, settings: EmailSettings) -> str:
        first, *others = settings.to
        return f"{first} and {len(others)} more" if others else first

    def send(self, envelope: Envelope[EmailSettings]) -> Answer:
        message = envelope.message
        name = _TEMPLATES.get(message.type, "alert")
        context = {"message": message, "preferences_url": _preferences_url(envelope.channel_id)}
        return mail.send(
            id=envelope.id,
            to=envelope.recipient,
            subject=render_to_string(f"jobs/email/{name}.subject.txt", context),
            text=render_to_string(f"jobs/email/{name}.txt", context),
            html=render_to_string(f"jobs/email/{name}.html", context),
            headers=_headers(message, context["preferences_url"]),
        )


def _preferences_url(channel_id: int | None) -> str:
    if channel_id is None:
        return absolute(reverse("admin:jobs_notificationchannel_changelist"))
    return absolute(reverse("admin:jobs_notificationchannel_change", args=[channel_id]))


def _headers(message: Message, preferences_url: object) -> dict[str, str]:
    urgent = {"Importance": "high", "X-Priority": "1"} if message.severity == "critical" else {}
    return urgent | ({"List-Unsubscribe": f"<{preferences_url}>"} if preferences_url else {})
