"""DEV and other Forems: a post as an article, https://developers.forem.com/api/v1."""

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import header_value, web_address
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
from publishing.publishers.exchange import address_of, change, encode, look, object_of, objects_of
from publishing.publishers.markdown import markdown_of
from publishing.publishers.registry import register
from publishing.words import shortened

_LONGEST_TITLE = 128
_MOST_TAGS = 4
_NOT_IN_TAGS = re.compile(r"[^a-z0-9]")
#: Articles of one page, small enough for their texts to stay below the limit of an answer; and how many pages we read.
_PAGE, _MOST_PAGES = 30, 20
#: How much the clocks of the two sides may differ, and then some: an article keeps the time it was first published.
_SLACK = timedelta(days=1)


class DevSettings(Settings):
    """Settings of an account."""

    site: Annotated[str, AfterValidator(web_address)] = Field(
        default="https://dev.to",
        max_length=300,
        title="Site",
        description="DEV, or another Forem.",
        json_schema_extra={"format": "uri"},
    )
    api_key: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        title="API key",
        min_length=1,
        max_length=500,
        description="From Settings, Extensions of your account.",
    )
    published: bool = Field(
        default=True, title="Publish", description="Off: as a draft that you publish there yourself."
    )
    ai_disclosure: Literal["", "no_ai", "some_ai", "fully_autonomous"] = Field(
        default="",
        title="AI disclosure",
        description="How much of it a model wrote. DEV asks for it; empty: not said.",
    )


@register
class Dev(PublisherKind[DevSettings]):
    """Publishes an article in Markdown, with at most four tags and the canonical address.

    Its first line, which readers do not see, names the post; so it is found again among your own articles. A site
    that keeps as a draft what was to be published is said to have refused it; sending it again publishes that draft.
    """

    name: ClassVar[str] = "devto"
    label: ClassVar[str] = "DEV (Forem)"
    parameters: ClassVar[type[Settings]] = DevSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: DevSettings) -> Remote:
        found = _own(post, settings)
        if found is not None and (found.get("published") or not settings.published):
            return _remote(found, None)
        article = _article_of(post, settings) | {"published": settings.published}
        path = "/api/articles" if found is None else f"/api/articles/{found['id']}"
        remote = _answered(_change(settings, "POST" if found is None else "PUT", path, article))
        if settings.published:
            _require_published(post, remote, settings)
        return remote

    def find(self, post: Outgoing, settings: DevSettings) -> Remote | None:
        """A draft of what was to be published is as good as nothing: sending it publishes the draft."""
        found = _own(post, settings)
        if found is None or (settings.published and not found.get("published")):
            return None
        return _remote(found, 200)

    def update(self, post: Outgoing, remote: Remote, settings: DevSettings) -> Remote:
        return _answered(_change(settings, "PUT", _path_of(remote), _article_of(post, settings)))

    def withdraw(self, post: Outgoing, remote: Remote, settings: DevSettings) -> None:
        """There is no deleting: it becomes a draft, which nobody but its author sees."""
        try:
            _change(settings, "PUT", _path_of(remote), {"published": False})
        except PublishRefused as error:
            if error.status != 404:
                raise

    def test(self, settings: DevSettings) -> str:
        user = object_of(_look(settings, "/api/users/me"))
        if user is None or not user.get("username"):
            raise PublishRefused(f"{settings.site} did not say whose API key this is: is it a Forem?")
        return f"The account is @{user['username']} at {settings.site}."


def _article_of(post: Outgoing, settings: DevSettings) -> dict[str, Any]:
    # The line with the marker comes first: a text that began with a rule would be taken for front matter.
    article: dict[str, Any] = {
        "title": shortened(post.title, _LONGEST_TITLE),
        "body_markdown": f"{_marked(post)}\n\n{markdown_of(post.body_html)}\n",
        "description": post.meta_description or shortened(post.excerpt, 160),
        "tags": _tags_of(post),
    }
    if post.canonical_url:
        article["canonical_url"] = post.canonical_url
    if settings.ai_disclosure:
        article["ai_disclosure_level"] = settings.ai_disclosure
    return article


def _marked(post: Outgoing) -> str:
    """A definition of a link that nothing links to: Markdown shows nothing of it."""
    return f"[almanac]: # ({post.marker})"


def _tags_of(post: Outgoing) -> list[str]:
    """At most four, of a to z and digits: accents go, and what is of another script."""
    names = (_NOT_IN_TAGS.sub("", unicodedata.normalize("NFKD", tag).lower()) for tag in post.tags)
    return list(dict.fromkeys(name[:30] for name in names if name))[:_MOST_TAGS]


def _own(post: Outgoing, settings: DevSettings) -> dict[str, Any] | None:
    """The account's article with the post's marker, published or not. Nobody else's, and none without the marker."""
    marked = _marked(post)
    for article in _articles(settings, since=post.published_at - _SLACK):
        if marked in str(article.get("body_markdown", "")) and article.get("id"):
            return article
    return None


def _articles(settings: DevSettings, *, since: datetime) -> Iterator[dict[str, Any]]:
    """The account's articles: all drafts, then those published since, the newest first.

    Raises PublishLater, and PublishRefused when they are too many to read.
    """
    for number in range(1, _MOST_PAGES + 1):
        page = objects_of(_look(settings, f"/api/articles/me/all?page={number}&per_page={_PAGE}"))
        if page is None:
            raise PublishLater(f"{settings.site} did not answer with a list of articles.")
        yield from page
        oldest = _moment(page[-1].get("published_at")) if page else None
        if len(page) < _PAGE or (oldest is not None and oldest < since):
            return
    raise PublishRefused(f"The account has more than {_PAGE * _MOST_PAGES} drafts and articles since then.")


def _require_published(post: Outgoing, remote: Remote, settings: DevSettings) -> None:
    """Read back: raises PublishRefused when the article is a draft. No answer to this question changes nothing."""
    try:
        found = _own(post, settings)
    except (PublishLater, PublishRefused):
        return
    if found is not None and not found.get("published"):
        raise PublishRefused(
            f"{settings.site} keeps it as a draft: {remote.url}. Look there why; sending it again publishes the draft.",
            status=remote.status,
        )


def _remote(article: dict[str, Any], status: int | None) -> Remote:
    return Remote(id=str(article["id"]), url=address_of(article.get("url")), status=status)


def _answered(answer: OutboundResponse) -> Remote:
    found = object_of(answer)
    if found is None or not found.get("id"):
        raise PublishUnknown("The answer names no article.", status=answer.status)
    return _remote(found, answer.status)


def _path_of(remote: Remote) -> str:
    if not remote.id.isdecimal():
        raise PublishRefused("It is not known which article it is.")
    return f"/api/articles/{remote.id}"


def _change(settings: DevSettings, method: str, path: str, article: dict[str, Any]) -> OutboundResponse:
    return change(
        method,
        settings.site.rstrip("/") + path,
        encode({"article": article}),
        _headers(settings) | {"content-type": "application/json"},
        hidden=[settings.api_key.get_secret_value()],
    )


def _look(settings: DevSettings, path: str) -> OutboundResponse:
    address = settings.site.rstrip("/") + path
    return look(address, _headers(settings), hidden=[settings.api_key.get_secret_value()])


def _headers(settings: DevSettings) -> dict[str, str]:
    return {"api-key": settings.api_key.get_secret_value(), "accept": "application/vnd.forem.api-v1+json"}


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
