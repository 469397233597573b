"""Webhooks, signed as the Standard Webhooks specification says."""

import base64
import binascii
import hashlib
import hmac
import time
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.base import Answer, ChannelKind, Envelope, Settings, register
from jobs.notifications.posting import encode, post
from jobs.outbound import redact

PREFIX = "whsec_"
#: Bytes: a shorter key can be found by trying.
SHORTEST_KEY = 24


def web_address(text: str) -> str:
    """An http(s) address with a host; raises ValueError. Whether it may be reached is seen when it is used."""
    try:
        parts = urlsplit(text)
        is_fine = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine or any(character.isspace() or ord(character) < 32 for character in text):
        raise ValueError("Use an address that begins with http:// or https://.")
    return text


def key_bytes(key: str) -> bytes:
    """The bytes of a key as it is written; raises ValueError."""
    if not key.startswith(PREFIX):
        raw = key.encode()
    else:
        try:
            raw = base64.b64decode(key.removeprefix(PREFIX), validate=True)
        except binascii.Error as error:
            raise ValueError(f"What follows {PREFIX} is not base64.") from error
    if len(raw) < SHORTEST_KEY:
        raise ValueError(f"The key needs at least {SHORTEST_KEY} bytes.")
    return raw


def sign(key: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    content = b".".join([message_id.encode(), str(timestamp).encode(), body])
    digest = hmac.new(key_bytes(key), content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def signed_headers(key: str, message_id: str, body: bytes) -> dict[str, str]:
    """The three headers that a receiver checks; the time is now."""
    timestamp = int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(key, message_id, timestamp, body),
    }


def checked_key(key: SecretStr) -> SecretStr:
    key_bytes(key.get_secret_value())
    return key


def header_value(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not (text.isprintable() or not text):
        raise ValueError("Use printable ASCII characters only.")
    return value


class WebhookSettings(Settings):
    """Settings of a webhook."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        max_length=2000,
        title="Address",
        description="Messages are posted there as JSON.",
        json_schema_extra={"format": "uri"},
    )
    key: Annotated[SecretStr, AfterValidator(checked_key)] = Field(
        title="Signing key",
        max_length=500,
        description="At least 24 random characters, or whsec_ and base64. The receiver needs the same.",
    )
    authorization: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        default=SecretStr(""),
        max_length=2000,
        title="Authorization header",
        description="If the receiver wants one, such as: Bearer …",
    )


@register
class Webhook(ChannelKind[WebhookSettings]):
    """Posts each message as signed JSON to an address of yours."""

    name: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    icon: ClassVar[str] = "webhook"
    parameters: ClassVar[type[Settings]] = WebhookSettings

    def address(self, settings: WebhookSettings) -> str:
        return redact(settings.url)

    def send(self, envelope: Envelope[WebhookSettings]) -> Answer:
        key = envelope.settings.key.get_secret_value()
        authorization = envelope.settings.authorization.get_secret_value()
        body = encode(body_of(envelope))
        headers = signed_headers(key, str(envelope.id), body)
        if authorization:
            headers["authorization"] = authorization
        return post(envelope.settings.url, body, headers, hidden=[key, authorization])


def body_of(envelope: Envelope[WebhookSettings]) -> dict[str, object]:
    """What is posted: a type, a time, and the data."""
    message = envelope.message
    return {
        "id": str(envelope.id),
        "type": message.type,
        "timestamp": message.at.isoformat(),
        "title": message.title,
        "severity": message.severity,
        "text": message.plain(),
        "url": message.url,
        "data": dict(message.data),
    }
