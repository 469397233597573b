"""Mastodon: a status that tells of a post, https://docs.joinmastodon.org/methods/statuses/."""

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import header_value, web_address
from jobs.outbound import OutboundResponse
from publishing.errors import PublishingError
from publishing.feeds.sanitise import plain_text
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
from publishing.publishers.registry import register
from publishing.words import shortened

#: Where an instance does not say.
_MOST_CHARACTERS, _CHARACTERS_OF_A_LINK = 500, 23
#: Statuses of one page, and how many pages we read to find one.
_PAGE, _MOST_PAGES = 40, 10
#: How much the clocks of the two sides may differ.
_SLACK = timedelta(minutes=10)
_LINK = re.compile(r"https?://\S+")
_HREF = re.compile(r'href="([^"]*)"')
_NOT_IN_HASHTAGS = re.compile(r"[^\w]")


class MastodonSettings(Settings):
    """Settings of an account."""

    instance: Annotated[str, AfterValidator(web_address)] = Field(
        max_length=300,
        title="Instance",
        description="Such as https://mastodon.social",
        json_schema_extra={"format": "uri"},
    )
    token: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        title="Access token",
        min_length=1,
        max_length=500,
        description="Of an application with the scopes read:accounts, read:statuses and write:statuses.",
    )
    visibility: Literal["public", "unlisted", "private"] = Field(
        default="public", title="Visibility", description="Private: only followers see it."
    )
    most_hashtags: int = Field(
        default=5, ge=0, le=20, title="Hashtags", description="At most so many of the post's tags."
    )


@register
class Mastodon(PublisherKind[MastodonSettings]):
    """Posts a status: title, excerpt, the canonical address and hashtags, as much as the instance lets in.

    A post without a canonical address gets no link; without an excerpt, too, it begins with its text. The instance
    keeps our key of a post for an hour and publishes it once however often it is sent; after that we look for the
    status among the latest of the account.
    """

    name: ClassVar[str] = "mastodon"
    label: ClassVar[str] = "Mastodon"
    parameters: ClassVar[type[Settings]] = MastodonSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: MastodonSettings) -> Remote:
        body = _status_of(post, settings, _room(settings)) | {"visibility": settings.visibility}
        answer = _change(settings, "POST", "/api/v1/statuses", body, {"idempotency-key": str(post.marker)})
        return _remote(answer)

    def find(self, post: Outgoing, settings: MastodonSettings) -> Remote | None:
        text = _status_of(post, settings, _room(settings))["status"]
        for status in _latest(settings, since=post.published_at - _SLACK):
            if _is_of(status, post, text):
                return Remote(id=str(status.get("id", "")), url=address_of(status.get("url")), status=200)
        return None

    def update(self, post: Outgoing, remote: Remote, settings: MastodonSettings) -> Remote:
        body = _status_of(post, settings, _room(settings))
        return _remote(_change(settings, "PUT", f"/api/v1/statuses/{_id_of(remote)}", body, {}))

    def withdraw(self, post: Outgoing, remote: Remote, settings: MastodonSettings) -> None:
        try:
            _change(settings, "DELETE", f"/api/v1/statuses/{_id_of(remote)}", None, {})
        except PublishRefused as error:
            if error.status not in {404, 410}:
                raise

    def test(self, settings: MastodonSettings) -> str:
        account = _account(settings)
        next(_pages(settings, str(account["id"])))
        return f"The account is @{account.get('acct')}; statuses have up to {_room(settings).characters} characters."


@dataclass(frozen=True)
class Room:
    """How long a status may be."""

    characters: int
    #: What a link counts, however long it is.
    per_link: int


def _status_of(post: Outgoing, settings: MastodonSettings, room: Room) -> dict[str, str]:
    body = {"status": _text_of(post, settings, room)}
    language = post.language.partition("-")[0].lower()
    return body | ({"language": language} if len(language) in {2, 3} else {})


def _text_of(post: Outgoing, settings: MastodonSettings, room: Room) -> str:
    """The link stays whole; the title comes first, then the hashtags, and the lead gets what is left."""
    lead = post.excerpt or ("" if post.canonical_url else plain_text(post.body_html))
    hashtags = _hashtags(post.tags, settings.most_hashtags)
    left = room.characters - (_count(post.canonical_url, room) + 2 if post.canonical_url else 0)
    title = _cut(_harmless(post.title), left, room)
    left -= _count(title, room)
    while hashtags and _count(" ".join(hashtags), room) + 2 > left:
        hashtags.pop()
    left -= _count(" ".join(hashtags), room) + 2 if hashtags else 0
    lead = _cut(_harmless(lead), left - 2, room)
    return "\n\n".join(part for part in (title, lead, post.canonical_url, " ".join(hashtags)) if part)


def _count(text: str, room: Room) -> int:
    return len(_LINK.sub("x" * room.per_link, text))


def _cut(text: str, limit: int, room: Room) -> str:
    """At most so many characters, as the instance counts them, cut between words; nothing where there is no room."""
    if _count(text, room) <= limit:
        return text
    # A text that is to be cut keeps no links: half of one leads nowhere.
    text = " ".join(_LINK.sub("", text).split())
    return shortened(text, limit) if limit > 20 else ""


def _harmless(text: str) -> str:
    """On one line, and without mentions: nobody is notified because a text has an @ in it."""
    return " ".join(text.split()).replace("@", "@\u200b")


def _hashtags(tags: tuple[str, ...], most: int) -> list[str]:
    """Tags as hashtags, which have letters, digits and underscores and are no mere numbers; each once."""
    found: dict[str, str] = {}
    for tag in tags:
        words = [_NOT_IN_HASHTAGS.sub("", word) for word in re.split(r"[\s\-/.]+", tag)]
        name = "".join(word[:1].upper() + word[1:] for word in words) if len(words) > 1 else words[0]
        if name and not name.replace("_", "").isdecimal():
            found.setdefault(name.casefold(), f"#{name}")
    return list(found.values())[:most]


def _is_of(status: dict[str, Any], post: Outgoing, text: str) -> bool:
    """Whether a status is the post's: the same text, or its title with its link, should the instance change texts."""
    content = str(status.get("content") or "")
    said = _bare(plain_text(content, limit=len(content)))
    if said == _bare(text):
        return True
    if not post.canonical_url or not said.startswith(_bare(text.partition("\n\n")[0])):
        return False
    return post.canonical_url in {html.unescape(href) for href in _HREF.findall(content)}


def _bare(text: str) -> str:
    return "".join(unicodedata.normalize("NFC", text).replace("\u200b", "").split())


def _latest(settings: MastodonSettings, *, since: datetime) -> Iterator[dict[str, Any]]:
    """The account's own statuses, the newest first. Raises PublishRefused when they are too many to read."""
    account = str(_account(settings)["id"])
    for page in _pages(settings, account):
        yield from page
        oldest = _moment(page[-1].get("created_at")) if page else None
        if len(page) < _PAGE or (oldest is not None and oldest < since):
            return
    raise PublishRefused(f"The account has more than {_PAGE * _MOST_PAGES} statuses since then.")


def _pages(settings: MastodonSettings, account: str) -> Iterator[list[dict[str, Any]]]:
    wanted = {"limit": str(_PAGE), "exclude_replies": "true", "exclude_reblogs": "true"}
    for _ in range(_MOST_PAGES):
        page = objects_of(_look(settings, f"/api/v1/accounts/{account}/statuses?{urlencode(wanted)}"))
        if page is None:
            raise PublishLater(f"{settings.instance} did not answer with a list of statuses.")
        yield page
        if not page:
            return
        wanted["max_id"] = str(page[-1].get("id", ""))


def _account(settings: MastodonSettings) -> dict[str, Any]:
    found = object_of(_look(settings, "/api/v1/accounts/verify_credentials"))
    if found is None or not found.get("id"):
        raise PublishRefused(f"{settings.instance} did not say whose access token this is: is it a Mastodon?")
    return found


def _room(settings: MastodonSettings) -> Room:
    """What the instance says of it; an old or reticent one takes what all take. Raises PublishLater, PublishRefused."""
    answer = _look(settings, "/api/v2/instance")
    found: Any = object_of(answer)
    if found is None and answer.status != 404:
        raise PublishLater(f"{settings.instance} did not say how long a status may be.", status=answer.status)
    found = found or {}
    for name in ("configuration", "statuses"):
        inner = found.get(name)
        found = inner if isinstance(inner, dict) else {}
    sizes = (found.get("max_characters"), found.get("characters_reserved_per_url"))
    most, per_link = (size if isinstance(size, int) and size > 0 else None for size in sizes)
    return Room(most or _MOST_CHARACTERS, per_link or _CHARACTERS_OF_A_LINK)


def _id_of(remote: Remote) -> str:
    found = remote.id or remote.url.rstrip("/").rpartition("/")[2]
    if not found.isalnum():
        raise PublishRefused("It is not known which status it is.")
    return found


def _remote(answer: OutboundResponse) -> Remote:
    found = object_of(answer)
    if found is None or not found.get("id"):
        raise PublishUnknown("The answer names no status.", status=answer.status)
    return Remote(id=str(found["id"]), url=address_of(found.get("url")), status=answer.status)


def _change(
    settings: MastodonSettings, method: str, path: str, body: dict[str, str] | None, headers: dict[str, str]
) -> OutboundResponse:
    content = {"content-type": "application/json"} if body is not None else {}
    return change(
        method,
        settings.instance.rstrip("/") + path,
        encode(body) if body is not None else b"",
        _headers(settings) | content | headers,
        hidden=[settings.token.get_secret_value()],
        judge=_judge,
    )


def _look(settings: MastodonSettings, path: str) -> OutboundResponse:
    address = settings.instance.rstrip("/") + path
    hidden = [settings.token.get_secret_value()]
    return look(address, _headers(settings), hidden=hidden, judge=_judge)


def _headers(settings: MastodonSettings) -> dict[str, str]:
    return {"authorization": f"Bearer {settings.token.get_secret_value()}", "accept": "application/json"}


def _judge(answer: OutboundResponse, message: str) -> PublishingError | None:
    """Mastodon names the moment, not the seconds, after which more requests are let in."""
    reset = _moment(answer.headers.get("x-ratelimit-reset"))
    if answer.status != 429 or answer.retry_after is not None or reset is None:
        return None
    wait = max((reset - answer.received_at).total_seconds(), 0.0)
    return PublishLater(message, status=429, retry_after=wait)


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
