"""Webhooks, signed as the Standard Webhooks specification says."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal
from uuid import uuid4

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from jobs.notifications.channels.webhook import checked_key, header_value, signed_headers, web_address
from jobs.outbound import OutboundResponse
from publishing.publishers.base import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
)
from publishing.publishers.exchange import address_of, change, encode, look, object_of
from publishing.publishers.registry import register

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
#: Which we write ourselves.
_OUR_HEADERS = {"host", "content-type", "content-length", "transfer-encoding", "connection"}


def _header_name(text: str) -> str:
    if (
        not _HEADER_NAME.fullmatch(text)
        or text.lower() in _OUR_HEADERS
        or text.lower().startswith("webhook-")
    ):
        raise ValueError("Use letters, digits and “-”, and no name that has another meaning.")
    return text


class WebhookSettings(Settings):
    """Settings of a webhook."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        max_length=2000,
        title="Address",
        description="Posts are sent there as JSON.",
        json_schema_extra={"format": "uri"},
    )
    method: Literal["POST", "PUT"] = Field(default="POST", title="Method")
    status_url: Annotated[str, AfterValidator(web_address)] | None = Field(
        default=None,
        max_length=2000,
        title="Address to look",
        description="Answers a GET of it with ?id=… by 200 and {url, id} for a post it has, by 404 for another.",
        json_schema_extra={"format": "uri"},
    )
    key: Annotated[SecretStr, AfterValidator(checked_key)] = Field(
        title="Signing key",
        max_length=500,
        description="At least 24 random characters, or whsec_ and base64. The receiver needs the same.",
    )
    auth: Literal["none", "bearer", "basic", "api_key"] = Field(
        default="none",
        title="Login",
        description="What the receiver wants to be shown besides the signature.",
    )
    username: str = Field(
        default="", max_length=200, title="User", description="For basic.", validate_default=True
    )
    token: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        default=SecretStr(""),
        max_length=2000,
        validate_default=True,
        title="Token",
        description="The bearer token, the password for basic, or the API key.",
    )
    api_key_header: Annotated[str, AfterValidator(_header_name)] = Field(
        default="X-API-Key", title="Header of the API key"
    )
    authorization: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        default=SecretStr(""),
        max_length=2000,
        title="Authorization header",
        description="Written out, such as: Token …; where none of the logins fits.",
    )

    @field_validator("username")
    @classmethod
    def _has_a_user(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("auth") == "basic" and (not value or ":" in value):
            raise ValueError("The login “basic” needs a user, without “:”.")
        return value

    @field_validator("token")
    @classmethod
    def _has_a_token(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        login = info.data.get("auth", "none")
        if login != "none" and not value.get_secret_value():
            raise ValueError(f"The login “{login}” needs a token.")
        return value

    @field_validator("authorization")
    @classmethod
    def _has_one_authorization(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        login = info.data.get("auth")
        if login in {"bearer", "basic"} and value.get_secret_value():
            raise ValueError(f"Choose the login “{login}” or write this header, not both.")
        return value


@register
class Webhook(PublisherKind[WebhookSettings]):
    """Sends each post as signed JSON to an address of yours, and tells it of changes.

    The header webhook-id is the same for every attempt at publishing a post. A 2xx means that you have it; answer with
    JSON {url, id} to let us link it. Without an address to look at, a request without an answer needs a person.
    Certificates are always checked.
    """

    name: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    parameters: ClassVar[type[Settings]] = WebhookSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def can_find(self, settings: WebhookSettings) -> bool:
        return settings.status_url is not None

    def send(self, post: Outgoing, settings: WebhookSettings) -> Remote:
        answer = _tell(settings, _message("publish", post), message_id=str(post.marker))
        return _remote(object_of(answer) or {}, answer.status)

    def find(self, post: Outgoing, settings: WebhookSettings) -> Remote | None:
        if settings.status_url is None:
            raise PublishRefused("There is no address to look at.")
        sign = "&" if "?" in settings.status_url else "?"
        address = f"{settings.status_url}{sign}id={post.marker}"
        answer = look(address, _login(settings), hidden=_secrets(settings))
        if answer.status == 404:
            return None
        found = object_of(answer)
        if found is None:
            raise PublishLater(
                f"{settings.status_url} did not answer with a JSON object.", status=answer.status
            )
        return _remote(found, answer.status)

    def update(self, post: Outgoing, remote: Remote, settings: WebhookSettings) -> Remote:
        answer = _tell(settings, _message("update", post, remote))
        found = _remote(object_of(answer) or {}, answer.status)
        return Remote(id=found.id or remote.id, url=found.url or remote.url, status=found.status)

    def withdraw(self, post: Outgoing, remote: Remote, settings: WebhookSettings) -> None:
        try:
            _tell(settings, _message("delete", post, remote))
        except PublishRefused as error:
            if error.status not in {404, 410}:
                raise

    def test(self, settings: WebhookSettings) -> str:
        try:
            answer = _tell(settings, {"type": "test", "action": "test", "data": {}})
        except PublishUnknown as error:
            raise PublishLater(str(error), status=error.status) from error
        return f"It took a message of the type “test” and answered with status {answer.status}."


_TYPES = {"publish": "post.published", "update": "post.updated", "delete": "post.deleted"}


def _message(action: str, post: Outgoing, remote: Remote | None = None) -> dict[str, object]:
    """What is sent. `revision` is the same for the same text: a receiver that has it already need do nothing."""
    content = _content_of(post)
    revision = hashlib.sha256(encode(content)).hexdigest()[:16]
    there = {"remote": {"id": remote.id, "url": remote.url}} if remote is not None else {}
    kept = {} if action == "delete" else {"revision": revision}
    return {
        "type": _TYPES[action],
        "action": action,
        "id": str(post.marker),
        **kept,
        **there,
        "data": {} if action == "delete" else content,
    }


def _tell(settings: WebhookSettings, message: Mapping[str, Any], *, message_id: str = "") -> OutboundResponse:
    """Send a signed message; changes of the same post are messages of their own, so each gets an id of its own."""
    body = encode(message)
    signed = signed_headers(
        settings.key.get_secret_value(), message_id or f"{message['action']}-{uuid4()}", body
    )
    headers = {"content-type": "application/json", **_login(settings), **signed}
    return change(settings.method, settings.url, body, headers, hidden=_secrets(settings))


def _login(settings: WebhookSettings) -> dict[str, str]:
    token = settings.token.get_secret_value()
    authorization = settings.authorization.get_secret_value()
    headers = {"authorization": authorization} if authorization else {}
    if settings.auth == "bearer":
        headers["authorization"] = f"Bearer {token}"
    elif settings.auth == "basic":
        headers["authorization"] = f"Basic {_basic(settings)}"
    elif settings.auth == "api_key":
        headers[settings.api_key_header] = token
    return headers


def _basic(settings: WebhookSettings) -> str:
    return base64.b64encode(f"{settings.username}:{settings.token.get_secret_value()}".encode()).decode()


def _content_of(post: Outgoing) -> dict[str, object]:
    return {
        "title": post.title,
        "slug": post.slug,
        "html": post.body_html,
        "excerpt": post.excerpt,
        "language": post.language,
        "tags": list(post.tags),
        "keywords": list(post.keywords),
        "meta_title": post.meta_title,
        "meta_description": post.meta_description,
        "canonical_url": post.canonical_url,
        "published_at": post.published_at.isoformat(),
    }


def _remote(answer: Mapping[str, object], status: int) -> Remote:
    number = answer.get("id") or answer.get("post_id") or ""
    return Remote(id=str(number), url=address_of(answer.get("url")), status=status)


def _secrets(settings: WebhookSettings) -> list[str]:
    secrets = [settings.key, settings.token, settings.authorization]
    encoded = [_basic(settings)] if settings.auth == "basic" else []
    return [secret.get_secret_value() for secret in secrets] + encoded
