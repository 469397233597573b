"""Incoming webhooks of Slack, and of what understands the same: Mattermost, Rocket.Chat, Zulip."""

from typing import Annotated, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.base import Answer, ChannelKind, Envelope, Settings, register
from jobs.notifications.channels.webhook import web_address
from jobs.notifications.message import Message
from jobs.notifications.posting import encode, post

_MARKS = {"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵"}
#: Limits of Slack, in characters and numbers.
_HEADING, _TEXT, _FIELD, _FIELDS = 150, 3000, 2000, 10


def _checked(address: SecretStr) -> SecretStr:
    web_address(address.get_secret_value())
    return address


class SlackSettings(Settings):
    """Settings of an incoming webhook."""

    url: Annotated[SecretStr, AfterValidator(_checked)] = Field(
        title="Webhook address",
        max_length=2000,
        description="As the chat shows it, such as https://hooks.slack.com/services/…; it is kept secret.",
    )


@register
class Slack(ChannelKind[SlackSettings]):
    """Writes into a chat room of Slack, Mattermost or another chat that takes Slack's incoming webhooks."""

    name: ClassVar[str] = "slack"
    label: ClassVar[str] = "Slack or Mattermost"
    icon: ClassVar[str] = "forum"
    parameters: ClassVar[type[Settings]] = SlackSettings

    def address(self, settings: SlackSettings) -> str:
        parts = urlsplit(settings.url.get_secret_value())
        return f"{parts.scheme}://{parts.hostname}/…"

    def send(self, envelope: Envelope[SlackSettings]) -> Answer:
        url = envelope.settings.url.get_secret_value()
        headers = {"idempotency-key": str(envelope.id)}
        return post(
            url,
            encode(body_of(envelope.message)),
            headers,
            shown=self.address(envelope.settings),
            hidden=[url, urlsplit(url).path],
        )


def body_of(message: Message) -> dict[str, Any]:
    """Blocks for those who show them; the text says the same for those who do not."""
    heading = f"{_MARKS[message.severity]} {_heading(message)}"
    plain = message.plain()
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": _cut(heading, _HEADING), "emoji": True},
        }
    ]
    if message.text.strip():
        blocks.append(_section(escape(message.text.strip())))
    if message.facts:
        shown = message.facts[:_FIELDS]
        blocks.append({"type": "section", "fields": [_field(fact.label, fact.value) for fact in shown]})
    if message.items:
        blocks.append(_section("\n".join(_line(item) for item in message.items)))
    for section in message.sections:
        facts = "\n".join(f"{escape(fact.label)}: {escape(fact.value)}" for fact in section.facts)
        lines = [f"*{escape(section.title)}*", escape(section.text.strip()), facts]
        blocks.append(_section("\n".join(line for line in lines if line)))
    if message.url:
        blocks.append(_section(f"<{message.url}|Open in Almanac>"))
    text = f"*{escape(heading)}*\n{escape(plain)}".strip()
    if message.url:
        text += f"\n<{message.url}|Open in Almanac>"
    return {"text": text[: 4 * _TEXT], "blocks": blocks[:50]}


def escape(text: str) -> str:
    """Text that the chat shows as it is: no links, no mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _heading(message: Message) -> str:
    return f"{message.change}: {message.title}" if message.change else message.title


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": _cut(text, _TEXT)}}


def _field(label: str, value: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": _cut(f"*{escape(label)}*\n{escape(value)}", _FIELD)}


def _line(item: Any) -> str:
    title = f"<{item.url}|{escape(item.title)}>" if item.url else escape(item.title)
    return f"{_MARKS[item.severity]} {title} · {escape(item.change)}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
