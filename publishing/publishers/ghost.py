"""Ghost, through its Admin API.

Ghost has no way to send a request twice and have it count once, takes no id of ours, drops comments in HTML, and gives
a slug that is taken a number. What stays with a post from the moment it is saved, in the same transaction, is an
internal tag. So each post has one of its own, and is found by it.
"""

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urljoin, urlsplit

import jwt
from django.utils.text import slugify
from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import web_address
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
from publishing.publishers.exchange import change, encode, look, object_of
from publishing.publishers.registry import register
from publishing.words import shortened

_KEY = re.compile(r"[0-9a-f]{24}:[0-9a-f]{64}", re.IGNORECASE)
_CONTENT_KEY = re.compile(r"[0-9a-f]{26}", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{24}")
#: Ghost takes no token that lives longer, or was made longer ago.
TOKEN_SECONDS = 300
#: As many characters as Ghost takes.
_EXCERPT_CHARS = 300
#: Without uuid and status Ghost makes up wrong addresses of drafts.
_FIELDS = "fields=id,uuid,status,url,updated_at"

_ADVICE = {
    "UNKNOWN_ADMIN_API_KEY": "Copy the Admin API key of a custom integration of this very site.",
    "INVALID_API_KEY_TYPE": "The Admin API key is needed, not the Content API key.",
    "INVALID_AUTH_HEADER": "Something between us and Ghost changes the header Authorization.",
    "UPDATE_GHOST": "Name an older version of the API.",
    "UPDATE_CLIENT": "Name a newer version of the API.",
}


def site_address(text: str) -> str:
    """The address of a site, without the slash at its end and without what its admin page adds."""
    parts = urlsplit(web_address(text))
    if parts.username is not None or parts.query:
        raise ValueError("Give the address of the site only, without a user or a query.")
    path = re.sub(r"/ghost(/.*)?$", "", parts.path).rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}"


def admin_key(key: SecretStr) -> SecretStr:
    """An Admin API key; raises ValueError."""
    text = key.get_secret_value().strip()
    if _CONTENT_KEY.fullmatch(text):
        raise ValueError("This is a Content API key, which can only read. Copy the Admin API key beside it.")
    if not _KEY.fullmatch(text):
        raise ValueError("An Admin API key is 24 hexadecimal digits, a colon, and 64 more digits.")
    return SecretStr(text)


class GhostSettings(Settings):
    """Settings of a Ghost site."""

    url: Annotated[str, AfterValidator(site_address)] = Field(
        max_length=2000,
        title="Address of the site",
        description="The address of the site's admin page without /ghost, such as https://blog.example.",
        json_schema_extra={"format": "uri"},
    )
    key: Annotated[SecretStr, AfterValidator(admin_key)] = Field(
        max_length=200,
        title="Admin API key",
        description="Of a custom integration: in Ghost, Settings, Integrations, Add custom integration.",
    )
    version: str = Field(
        default="v5.0",
        pattern=r"^v\d{1,3}\.\d{1,3}$",
        title="Version of the API",
        description="Such as v5.0, which Ghost 5 and 6 understand.",
    )
    status: Literal["published", "draft"] = Field(
        default="published",
        title="What posts become",
        description="published, or a draft for somebody to publish there. No newsletter is sent either way.",
    )
    keep_html: bool = Field(
        default=False,
        title="Keep the HTML as it is",
        description="As one HTML card. Otherwise Ghost's editor can edit it, but loses what it does not know, "
        "such as definition lists.",
    )


@register
class Ghost(PublisherKind[GhostSettings]):
    """Makes each post one of a Ghost site (5 or 6).

    Each post gets an internal tag such as #almanac-1f0c…, which readers do not see: by it we find it again. Do not
    remove it before the post is known to be published.
    """

    name: ClassVar[str] = "ghost"
    label: ClassVar[str] = "Ghost"
    parameters: ClassVar[type[Settings]] = GhostSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: GhostSettings) -> Remote:
        content = _content_of(post, settings) | {"slug": post.slug, "status": settings.status}
        if settings.status == "published":
            content["published_at"] = post.published_at.astimezone(UTC).isoformat(timespec="milliseconds")
        return _saved(_change("POST", "posts/?source=html&formats=html", settings, content))

    def find(self, post: Outgoing, settings: GhostSettings) -> Remote | None:
        found = _tagged(post, settings)
        return None if found is None else _remote(found, 200)

    def update(self, post: Outgoing, remote: Remote, settings: GhostSettings) -> Remote:
        current = _current(post, remote, settings)
        if current is None:
            raise PublishRefused("It is not in Ghost any more.", status=404)
        content = _content_of(post, settings) | {"updated_at": current.get("updated_at")}
        path = f"posts/{current['id']}/?source=html&formats=html"
        try:
            return _saved(_change("PUT", path, settings, content))
        except PublishRefused as error:
            if error.status == 409:  # somebody saved it between our two requests
                raise PublishLater(str(error), status=409) from error
            raise

    def withdraw(self, post: Outgoing, remote: Remote, settings: GhostSettings) -> None:
        current = _current(post, remote, settings)
        if current is not None:
            _remove(f"posts/{current['id']}/", settings)
        found = _read(f"tags/slug/{_marker_slug(post)}/", "tags", settings, is_one=True)
        # An internal tag that may not be removed does no harm.
        with suppress(PublishRefused):
            for tag in found:
                _remove(f"tags/{tag['id']}/", settings)

    def test(self, settings: GhostSettings) -> str:
        answer = _look("site/", settings)
        site = (object_of(answer) or {}).get("site")
        if answer.status == 404 or not isinstance(site, dict):
            raise PublishRefused(f"{settings.url} does not answer as Ghost does.", status=answer.status)
        if answer.redirects:
            raise PublishRefused(_elsewhere(answer.url), status=answer.redirects[0].status)
        _read("posts/?limit=1&fields=id", "posts", settings)
        title = " ".join(str(site.get("title", "")).split())[:100]
        return f"“{title}” is a site of Ghost {str(site.get('version', ''))[:20]}, and the key may read its posts."


def _content_of(post: Outgoing, settings: GhostSettings) -> dict[str, Any]:
    """What is sent and updated alike. Fields that are empty are told as well: an update takes them away."""
    html = post.body_html
    if settings.keep_html:
        html = f"<!--kg-card-begin: html-->\n{html}\n<!--kg-card-end: html-->"
    return {
        "title": post.title,
        "html": html,
        "tags": [{"name": name} for name in [*_tag_names(post, settings), _marker(post)]],
        "custom_excerpt": shortened(" ".join(post.excerpt.split()), _EXCERPT_CHARS) or None,
        "canonical_url": post.canonical_url or None,
        "meta_title": post.meta_title or None,
        "meta_description": post.meta_description or None,
    }


def _tag_names(post: Outgoing, settings: GhostSettings) -> list[str]:
    """The post's tags, written as the site writes them: to Ghost, Python and python are two."""
    # A leading # would hide a tag from readers; a leading comma is refused.
    names = [name for tag in post.tags if (name := tag.strip().lstrip("#,").strip())]
    slugs = sorted({slug for name in names if (slug := slugify(name))})
    if not slugs:
        return names
    chosen = ",".join(f"'{slug}'" for slug in slugs)
    rows = _read(f"tags/?filter={quote(f'slug:[{chosen}]')}&fields=id,name&limit=100", "tags", settings)
    there = {str(row.get("name")).casefold(): str(row.get("name")) for row in rows}
    return [there.get(name.casefold(), name) for name in names]


def _marker(post: Outgoing) -> str:
    """The name of the internal tag."""
    return f"#almanac-{post.marker.hex}"


def _marker_slug(post: Outgoing) -> str:
    """As Ghost makes it of the name."""
    return f"hash-almanac-{post.marker.hex}"


def _tagged(post: Outgoing, settings: GhostSettings) -> dict[str, Any] | None:
    """The post with our tag, the oldest should there be several; whatever its status there."""
    query = f"filter=tag:{_marker_slug(post)}&include=tags&{_FIELDS}&order=created_at%20asc&limit=5"
    rows = _read(f"posts/?{query}", "posts", settings)
    ours = [row for row in rows if _has_tag(row, _marker(post))]
    if rows and not ours:
        raise PublishLater(f"{settings.url} does not look for tags as Ghost does.", status=200)
    return ours[0] if ours else None


def _has_tag(row: Mapping[str, Any], name: str) -> bool:
    tags = row.get("tags")
    return isinstance(tags, list) and any(isinstance(tag, dict) and tag.get("name") == name for tag in tags)


def _current(post: Outgoing, remote: Remote, settings: GhostSettings) -> dict[str, Any] | None:
    """The post as it is there now: by its id, or by our tag where the id is not known or has changed, as after an import."""
    rows = []
    if _ID.fullmatch(remote.id):
        rows = _read(f"posts/{remote.id}/?{_FIELDS}", "posts", settings, is_one=True)
    return rows[0] if rows else _tagged(post, settings)


def _read(path: str, name: str, settings: GhostSettings, *, is_one: bool = False) -> list[dict[str, Any]]:
    """The rows of an answer. Raises PublishLater, PublishRefused.

    No rows for one thing that Ghost itself does not know; a list that is not found is a wrong address instead.
    """
    answer = _look(path, settings)
    if is_one and answer.status == 404 and _problem(answer):
        return []
    rows = (object_of(answer) or {}).get(name) if answer.status != 404 else None
    if not isinstance(rows, list) or not all(_has_id(row) for row in rows):
        raise PublishLater(f"{settings.url} does not answer as Ghost does.", status=answer.status)
    return rows


def _has_id(row: object) -> bool:
    return isinstance(row, dict) and _ID.fullmatch(str(row.get("id"))) is not None


def _remove(path: str, settings: GhostSettings) -> None:
    """Delete it; that it is gone already is fine."""
    try:
        change(
            "DELETE",
            _address(path, settings),
            b"",
            _headers(settings),
            hidden=_hidden(settings),
            explain=_words,
        )
    except PublishRefused as error:
        if error.status != 404:
            raise


def _saved(answer: OutboundResponse) -> Remote:
    """The post that was saved; raises PublishUnknown when the answer does not name it."""
    rows = (object_of(answer) or {}).get("posts")
    row = rows[0] if isinstance(rows, list) and rows else None
    if not isinstance(row, dict) or not _has_id(row):
        raise PublishUnknown("It was taken, but the answer does not name the post.", status=answer.status)
    return _remote(row, answer.status)


def _remote(row: Mapping[str, Any], status: int) -> Remote:
    url = str(row.get("url"))
    # Ghost gives …/404/ for a post that it has not found a place for yet.
    is_address = url.startswith(("http://", "https://")) and not url.endswith("/404/")
    return Remote(id=str(row["id"]), url=url if is_address else "", status=status)


def _change(method: str, path: str, settings: GhostSettings, content: Mapping[str, Any]) -> OutboundResponse:
    body = encode({"posts": [content]})
    headers = _headers(settings) | {"content-type": "application/json"}
    return change(method, _address(path, settings), body, headers, hidden=_hidden(settings), explain=_words)


def _look(path: str, settings: GhostSettings) -> OutboundResponse:
    return look(_address(path, settings), _headers(settings), hidden=_hidden(settings), explain=_words)


def _address(path: str, settings: GhostSettings) -> str:
    return f"{settings.url}/ghost/api/admin/{path}"


def _headers(settings: GhostSettings) -> dict[str, str]:
    """With a token of now: they live for five minutes."""
    key_id, _, secret = settings.key.get_secret_value().partition(":")
    now = int(time.time())
    claims = {"iat": now, "exp": now + TOKEN_SECONDS, "aud": "/admin/"}
    token = jwt.encode(claims, bytes.fromhex(secret), algorithm="HS256", headers={"kid": key_id})
    return {
        "authorization": f"Ghost {token}",
        "accept-version": settings.version,
        "accept": "application/json",
    }


def _hidden(settings: GhostSettings) -> list[str]:
    key = settings.key.get_secret_value()
    return [key, key.partition(":")[2]]


def _problem(answer: OutboundResponse) -> dict[str, Any]:
    """Ghost's own error of an answer; empty when it is not Ghost that speaks."""
    errors = (object_of(answer) or {}).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _words(answer: OutboundResponse) -> str:
    """What Ghost says, and what to do about it."""
    if 300 <= answer.status < 400 and (target := answer.headers.get("location")):
        return _elsewhere(urljoin(answer.url, target))
    problem = _problem(answer)
    said = [str(problem[name])[:200] for name in ("message", "context") if problem.get(name)]
    if not said:
        return ""
    if answer.redirects:
        said.append(_elsewhere(answer.url))
    elif advice := _advice(problem, answer):
        said.append(advice)
    return " ".join(text if text.endswith((".", "!")) else f"{text}." for text in said)


def _advice(problem: Mapping[str, Any], answer: OutboundResponse) -> str:
    message, code = str(problem.get("message")), str(problem.get("code"))
    if code == "INVALID_JWT" and ("expired" in message or "maxAge" in message):
        return f"Our clock or that of Ghost is wrong{_apart(answer)}."
    if code == "INVALID_JWT" and "signature" in message:
        return "The part of the key after the colon is not the right one."
    if answer.status == 403 and message == "Authorization failed":
        return "The key did not arrive: something between us and Ghost takes the header Authorization away."
    return _ADVICE.get(code, "")


def _apart(answer: OutboundResponse) -> str:
    """How far the two clocks are apart, as far as the answer tells."""
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        return ""
    return f": they are {abs((answer.received_at - theirs).total_seconds()):.0f} seconds apart"


def _elsewhere(target: str) -> str:
    parts = urlsplit(target)
    path = parts.path.partition("/ghost/")[0]
    return f"Requests are sent on from there: use {parts.scheme}://{parts.netloc}{path} as the address."
