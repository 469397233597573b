"""Webhooks, signed as the Standard Webhooks specification says."""

from collections.abc import Mapping
from typing import Annotated, ClassVar
from uuid import uuid4

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import checked_key, header_value, signed_headers, web_address
from publishing.publishers.base import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
)
from publishing.publishers.exchange import change, encode, look, object_of
from publishing.publishers.registry import register


class WebhookSettings(Settings):
    """Settings of a webhook."""

    url: Annotated[str, AfterValidator(web_address)] = Field(
        max_length=2000,
        title="Address",
        description="Posts are posted there as JSON.",
        json_schema_extra={"format": "uri"},
    )
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
    authorization: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        default=SecretStr(""),
        max_length=2000,
        title="Authorization header",
        description="If the receiver wants one, such as: Bearer …",
    )


@register
class Webhook(PublisherKind[WebhookSettings]):
    """Posts each post as signed JSON to an address of yours.

    The header webhook-id is the same for every attempt at a post. A 2xx means that you have it; answer with JSON
    {url, id} to let us link it. Without an address to look at, a request without an answer needs a person.
    """

    name: ClassVar[str] = "webhook"
    label: ClassVar[str] = "Webhook"
    parameters: ClassVar[type[Settings]] = WebhookSettings

    def can_find(self, settings: WebhookSettings) -> bool:
        return settings.status_url is not None

    def send(self, post: Outgoing, settings: WebhookSettings) -> Remote:
        body = encode({"type": "post.published", "id": str(post.marker), "data": _content_of(post)})
        headers = self._headers(settings) | signed_headers(
            settings.key.get_secret_value(), str(post.marker), body
        )
        answer = change(
            "POST",
            settings.url,
            body,
            {"content-type": "application/json", **headers},
            hidden=_secrets(settings),
        )
        return _remote(object_of(answer) or {}, answer.status)

    def find(self, post: Outgoing, settings: WebhookSettings) -> Remote | None:
        if settings.status_url is None:
            raise PublishRefused("There is no address to look at.")
        sign = "&" if "?" in settings.status_url else "?"
        address = f"{settings.status_url}{sign}id={post.marker}"
        answer = look(address, self._headers(settings), hidden=_secrets(settings))
        if answer.status == 404:
            return None
        found = object_of(answer)
        if found is None:
            raise PublishLater(
                f"{settings.status_url} did not answer with a JSON object.", status=answer.status
            )
        return _remote(found, answer.status)

    def test(self, settings: WebhookSettings) -> str:
        body = encode({"type": "test", "data": {}})
        headers = self._headers(settings) | signed_headers(
            settings.key.get_secret_value(), f"test-{uuid4()}", body
        )
        try:
            answer = change(
                "POST",
                settings.url,
                body,
                {"content-type": "application/json", **headers},
                hidden=_secrets(settings),
            )
        except PublishUnknown as error:
            raise PublishLater(str(error), status=error.status) from error
        return f"It took a message of the type “test” and answered with status {answer.status}."

    def _headers(self, settings: WebhookSettings) -> dict[str, str]:
        authorization = settings.authorization.get_secret_value()
        return {"authorization": authorization} if authorization else {}


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
    url = answer.get("url")
    return Remote(
        id=str(answer.get("id") or ""),
        url=url if isinstance(url, str) and url.startswith(("http://", "https://")) else "",
        status=status,
    )


def _secrets(settings: WebhookSettings) -> list[str]:
    return [settings.key.get_secret_value(), settings.authorization.get_secret_value()]
