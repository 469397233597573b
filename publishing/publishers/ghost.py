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
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote, urljoin, urlsplit

import jwt
from django.utils.text import slugify
from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import web_address
from jobs.outbound import OutboundResponse, redact
from jobs.outbound.headers import parse_http_date
from publishing.errors import PublishingError
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
from publishing.words import shortened

_KEY = re.compile(r"[0-9a-f]{24}:[0-9a-f]{64}", re.IGNORECASE)
_CONTENT_KEY = re.compile(r"[0-9a-f]{26}", re.IGNORECASE)
_ID = re.compile(r"[0-9a-f]{24}")
#: Ghost takes no token that lives longer, or was made longer ago.
TOKEN_SECONDS = 300
#: As many characters as Ghost takes.
_EXCERPT_CHARS = 300
#: The smallest text that a post comes with. Not `fields`: Ghost gives wrong addresses of posts that it read by halves.
_BRIEF = "formats=plaintext"

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
        site = _Site(settings)
        content = _content_of(post, site, settings) | {"slug": post.slug, "status": settings.status}
        if settings.status == "published":
            content["published_at"] = post.published_at.astimezone(UTC).isoformat(timespec="milliseconds")
        return site.save("POST", "posts/", content)

    def find(self, post: Outgoing, settings: GhostSettings) -> Remote | None:
        found = _tagged(post, _Site(settings))
        return None if found is None else _remote(found, 200)

    def update(self, post: Outgoing, remote: Remote, settings: GhostSettings) -> Remote:
        site = _Site(settings)
        current = _current(post, remote, site)
        if current is None:
            raise PublishRefused("It is not in Ghost any more.", status=404)
        content = _content_of(post, site, settings) | {"updated_at": current.get("updated_at")}
        return site.save("PUT", f"posts/{current['id']}/", content)

    def withdraw(self, post: Outgoing, remote: Remote, settings: GhostSettings) -> None:
        site = _Site(settings)
        current = _current(post, remote, site)
        if current is not None:
            site.remove(f"posts/{current['id']}/")
        found = site.read(f"tags/slug/{_marker_slug(post)}/", "tags", is_one=True)
        # An internal tag that may not be removed does no harm.
        with suppress(PublishRefused):
            for tag in found:
                site.remove(f"tags/{tag['id']}/")

    def test(self, settings: GhostSettings) -> str:
        site = _Site(settings)
        answer = site.look("site/")
        about = (object_of(answer) or {}).get("site")
        if answer.status == 404 or not isinstance(about, dict):
            raise PublishRefused(f"{settings.url} does not answer as Ghost does.", status=answer.status)
        if answer.redirects:
            raise PublishRefused(_elsewhere(answer.url), status=answer.redirects[0].status)
        site.read("posts/?limit=1&fields=id", "posts")
        title = " ".join(str(about.get("title", "")).split())[:100]
        return f"“{title}” is a site of Ghost {str(about.get('version', ''))[:20]}, and the key may read its posts."


class _Site:
    """The Admin API of one site."""

    def __init__(self, settings: GhostSettings) -> None:
        self._settings = settings
        self._key = settings.key.get_secret_value()
        self._hidden = [self._key, self._key.partition(":")[2]]

    def look(self, path: str) -> OutboundResponse:
        return look(self._address(path), self._headers(), hidden=self._hidden, judge=self._judge)

    def read(self, path: str, name: str, *, is_one: bool = False) -> list[dict[str, Any]]:
        """The rows of an answer. Raises PublishLater, PublishRefused.

        No rows for one thing that Ghost itself does not know; a list that is not found is a wrong address instead.
        """
        answer = self.look(path)
        if is_one and answer.status == 404 and _problem(answer):
            return []
        rows = (object_of(answer) or {}).get(name) if answer.status != 404 else None
        if not isinstance(rows, list) or not all(_has_id(row) for row in rows):
            raise PublishLater(f"{self._settings.url} does not answer as Ghost does.", status=answer.status)
        return rows

    def save(self, method: str, path: str, content: Mapping[str, Any]) -> Remote:
        """Make or change a post. Raises the three errors; PublishUnknown when the answer does not name the post."""
        answer = self._change(method, f"{path}?source=html&{_BRIEF}", encode({"posts": [content]}))
        rows = (object_of(answer) or {}).get("posts")
        if not isinstance(rows, list) or not rows or not _has_id(rows[0]):
            raise PublishUnknown("It was taken, but the answer does not name the post.", status=answer.status)
        return _remote(rows[0], answer.status)

    def remove(self, path: str) -> None:
        """That it is gone already is fine."""
        try:
            self._change("DELETE", path, b"")
        except PublishRefused as error:
            if error.status != 404:
                raise

    def _change(self, method: str, path: str, body: bytes) -> OutboundResponse:
        headers = self._headers() | {"content-type": "application/json"}
        return change(method, self._address(path), body, headers, hidden=self._hidden, judge=self._judge)

    def _address(self, path: str) -> str:
        return f"{self._settings.url}/ghost/api/admin/{path}"

    def _headers(self) -> dict[str, str]:
        """With a token of now: they live for five minutes."""
        key_id, _, secret = self._key.partition(":")
        now = int(time.time())
        claims = {"iat": now, "exp": now + TOKEN_SECONDS, "aud": "/admin/"}
        token = jwt.encode(claims, bytes.fromhex(secret), algorithm="HS256", headers={"kid": key_id})
        return {
            "authorization": f"Ghost {token}",
            "accept-version": self._settings.version,
            "accept": "application/json",
        }

    def _judge(self, answer: OutboundResponse, told: str) -> PublishingError | None:
        """A refusal in words that help."""
        words = _words(answer)
        if not words or answer.status >= 500 or answer.status in {408, 425, 429}:
            return None
        for secret in self._hidden:
            words = words.replace(secret, "[hidden]")
        message = f"{redact(answer.url)} answered with status {answer.status}: {words}"
        # Somebody saved the post between our reading and our writing.
        kind = PublishLater if _problem(answer).get("code") == "UPDATE_COLLISION" else PublishRefused
        return kind(message[:500], status=answer.status)


def _content_of(post: Outgoing, site: _Site, settings: GhostSettings) -> dict[str, Any]:
    """What is sent and updated alike. Fields that are empty are told as well: an update takes them away."""
    html = post.body_html
    if settings.keep_html:
        html = f"<!--kg-card-begin: html-->\n{html}\n<!--kg-card-end: html-->"
    return {
        "title": post.title,
        "html": html,
        "tags": [{"name": name} for name in [*_tag_names(post, site), _marker(post)]],
        "custom_excerpt": shortened(" ".join(post.excerpt.split()), _EXCERPT_CHARS) or None,
        "canonical_url": post.canonical_url or None,
        "meta_title": post.meta_title or None,
        "meta_description": post.meta_description or None,
    }


def _tag_names(post: Outgoing, site: _Site) -> list[str]:
    """The post's tags, written as the site writes them: to Ghost, Python and python are two."""
    # A leading # would hide a tag from readers; a leading comma is refused.
    names = [name for tag in post.tags if (name := tag.strip().lstrip("#,").strip())]
    slugs = sorted({slug for name in names if (slug := slugify(name))})
    if not slugs:
        return names
    chosen = ",".join(f"'{slug}'" for slug in slugs)
    rows = site.read(f"tags/?filter={quote(f'slug:[{chosen}]')}&fields=id,name&limit=100", "tags")
    there = {str(row.get("name")).casefold(): str(row.get("name")) for row in rows}
    return [there.get(name.casefold(), name) for name in names]


def _marker(post: Outgoing) -> str:
    """The name of the internal tag."""
    return f"#almanac-{post.marker.hex}"


def _marker_slug(post: Outgoing) -> str:
    """As Ghost makes it of the name."""
    return f"hash-almanac-{post.marker.hex}"


def _tagged(post: Outgoing, site: _Site) -> dict[str, Any] | None:
    """The post with our tag, the oldest should there be several; whatever its status there."""
    query = f"filter=tag:{_marker_slug(post)}&{_BRIEF}&order=created_at%20asc&limit=2"
    rows = site.read(f"posts/?{query}", "posts")
    ours = [row for row in rows if _has_tag(row, _marker(post))]
    if rows and not ours:
        raise PublishLater("It does not look for tags as Ghost does.", status=200)
    return ours[0] if ours else None


def _current(post: Outgoing, remote: Remote, site: _Site) -> dict[str, Any] | None:
    """The post as it is there now: by its id, or by our tag where the id is not known or has changed, as after an import."""
    rows = site.read(f"posts/{remote.id}/?{_BRIEF}", "posts", is_one=True) if _ID.fullmatch(remote.id) else []
    return rows[0] if rows else _tagged(post, site)


def _has_id(row: object) -> bool:
    return isinstance(row, dict) and _ID.fullmatch(str(row.get("id"))) is not None


def _has_tag(row: Mapping[str, Any], name: str) -> bool:
    tags = row.get("tags")
    return isinstance(tags, list) and any(isinstance(tag, dict) and tag.get("name") == name for tag in tags)


def _remote(row: Mapping[str, Any], status: int) -> Remote:
    url = address_of(row.get("url"))
    # Ghost gives …/404/ for a post that it has not found a place for yet.
    return Remote(id=str(row["id"]), url="" if url.endswith("/404/") else url, status=status)


def _problem(answer: OutboundResponse) -> dict[str, Any]:
    """Ghost's own error of an answer; empty when it is not Ghost that speaks."""
    errors = (object_of(answer) or {}).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _words(answer: OutboundResponse) -> str:
    """What Ghost says, and what to do about it; nothing when it is not Ghost that speaks."""
    if 300 <= answer.status < 400 and (target := answer.headers.get("location")):
        return _elsewhere(urljoin(answer.url, target))
    problem = _problem(answer)
    said = [str(problem[name])[:200] for name in ("message", "context") if problem.get(name)]
    said = list(dict.fromkeys(said))
    if said and answer.redirects:
        said.append(_elsewhere(answer.url))
    elif said and (advice := _advice(problem, answer)):
        said.append(advice)
    return " ".join(text if text.endswith((".", "!")) else f"{text}." for text in said)


def _advice(problem: Mapping[str, Any], answer: OutboundResponse) -> str:
    message, code = str(problem.get("message")), str(problem.get("code"))
    if code == "INVALID_JWT" and ("expired" in message or "maxAge" in message):
        return f"Our clock or Ghost's is wrong{_apart(answer)}."
    if code == "INVALID_JWT" and "signature" in message:
        return "The part of the key after the colon is not the right one."
    if answer.status == 403 and message == "Authorization failed":
        return "The key did not arrive: something between us and Ghost takes the header Authorization away."
    return _ADVICE.get(code, "")


def _apart(answer: OutboundResponse) -> str:
    """How far the two clocks are apart, as far as the answer tells."""
    theirs = parse_http_date(answer.headers.get("date", ""))
    if theirs is None:
        return ""
    return f": they are {abs((answer.received_at - theirs).total_seconds()):.0f} seconds apart"


def _elsewhere(target: str) -> str:
    parts = urlsplit(target)
    path = parts.path.partition("/ghost/")[0]
    return f"Requests are sent on from there: use {parts.scheme}://{parts.netloc}{path} as the address."
