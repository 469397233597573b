"""A stand-in for Ghost: its Admin API as far as posts and tags need it, with tokens checked as Ghost checks them.

What it answers, errors word for word, was compared with Ghost 5.130: `tests/real_servers` holds the same tests against
a real one.
"""

import re
import secrets
import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from uuid import UUID, uuid4

import jwt
from django.utils.text import slugify

from publishing.tests.faulty_server import FaultyServer, Incoming, Reply

KEY_ID, SECRET = (
    "6b02c90e82ffce635af8569b",
    "0645dcd7867bea91ffb65ad3b88881e0b576ceba4edff96d4f57f4d15f58a86e",
)
KEY = f"{KEY_ID}:{SECRET}"
API = "/ghost/api/admin/"
_MARKER = re.compile(r"#almanac-([0-9a-f]{32})")
#: A clock that runs on by a second with every change, so that no two have the same time.
_EPOCH = 1_700_000_000


class Refused(Exception):
    """An error as Ghost tells it."""

    def __init__(
        self, status: int, message: str, *, context: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.reply = Reply.json({"errors": [{"message": message, "context": context, "code": code}]}, status)


class GhostServer(FaultyServer):
    """`rows` are the posts by their id, `tags` the tags by their slug."""

    kind = "ghost"

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.key = KEY
        #: By how much its clock is ahead of ours.
        self.ahead_seconds = 0
        self._changes = 0

    def settings(self) -> dict[str, Any]:
        return {"url": self.address}

    def secrets(self) -> dict[str, str]:
        return {"key": KEY}

    def count(self, marker: str) -> int:
        return sum(row["status"] == "published" for row in self.rows_of(marker))

    def text_of(self, marker: str) -> str:
        for row in self.rows_of(marker):
            if row["status"] == "published":
                return f"{row['title']} {row['html']}"
        raise KeyError(marker)

    def rows_of(self, marker: str) -> list[dict[str, Any]]:
        """All with the marker, drafts too."""
        with self.lock:
            return [row for row in self.rows.values() if _marker_of_tags(row["tags"]) == marker]

    def marker_of(self, request: Incoming) -> str | None:
        if request.method == "GET" or not request.path.startswith(f"{API}posts/"):
            return None
        if request.body:
            return _marker_of_tags(request.json()["posts"][0].get("tags", []))
        row = self.rows.get(_last(request.path))
        return _marker_of_tags(row["tags"]) if row else None

    def busy(self) -> Reply:
        errors = [{"message": "Too many requests", "type": "TooManyRequestsError", "code": None}]
        return Reply.json({"errors": errors}, 429, {"Retry-After": str(self.retry_after)})

    def forbidden(self) -> Reply:
        return Refused(401, "Unknown Admin API Key", code="UNKNOWN_ADMIN_API_KEY").reply

    def respond(self, request: Incoming) -> Reply:
        try:
            reply = self._answer(request)
        except Refused as refused:
            reply = refused.reply
        date = formatdate(time.time() + self.ahead_seconds, usegmt=True)
        return Reply(reply.status, reply.body, {**reply.headers, "date": date})

    def _answer(self, request: Incoming) -> Reply:
        if not request.path.startswith(API):
            return Reply(404, b"<!DOCTYPE html><title>404</title>")
        thing, *rest = request.path.removeprefix(API).strip("/").split("/")
        if thing == "site":
            return Reply.json({"site": {"title": "The blog", "url": f"{self.address}/", "version": "5.130"}})
        self._authenticate(request)
        if thing == "tags":
            return self._tags(request, rest)
        if thing != "posts":
            raise _wrong_version(request.headers["accept-version"])
        if not rest:
            return self._add(request) if request.method == "POST" else self._browse(request)
        if (row := self.rows.get(rest[0])) is None:
            raise Refused(404, "Resource not found error, cannot read post.", context="Post not found.")
        if request.method == "DELETE":
            del self.rows[row["id"]]
            return Reply(204)
        return self._edit(row, request) if request.method == "PUT" else self._told(row)

    def _authenticate(self, request: Incoming) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise Refused(403, "Authorization failed", context="Unable to determine the authenticated user.")
        if scheme != "Ghost":
            message = 'Authorization header format is "Authorization: Ghost [token]"'
            raise Refused(401, message, code="INVALID_AUTH_HEADER")
        key_id, _, secret = self.key.partition(":")
        if jwt.get_unverified_header(token).get("kid") != key_id:
            raise Refused(401, "Unknown Admin API Key", code="UNKNOWN_ADMIN_API_KEY")
        try:
            options: Any = {"require": ["iat", "exp", "aud"], "verify_exp": False, "verify_iat": False}
            claims = jwt.decode(token, bytes.fromhex(secret), ["HS256"], options, audience="/admin/")
        except jwt.InvalidSignatureError as error:
            raise Refused(401, "Invalid token: invalid signature", code="INVALID_JWT") from error
        now = time.time() + self.ahead_seconds
        if claims["exp"] <= now:
            raise Refused(401, "Invalid token: jwt expired", code="INVALID_JWT")
        if claims["iat"] + 300 <= now or claims["exp"] - claims["iat"] > 300:
            raise Refused(401, "Invalid token: maxAge exceeded", code="INVALID_JWT")

    def _browse(self, request: Incoming) -> Reply:
        chosen = request.query.get("filter", "")
        if chosen and not chosen.startswith("tag:"):
            raise Refused(
                400, "Request not understood error, cannot list posts.", context="Error parsing filter"
            )
        slug = chosen.removeprefix("tag:")
        rows = [row for row in self.rows.values() if not slug or slug in {tag["slug"] for tag in row["tags"]}]
        return Reply.json({"posts": [self._seen(row) for row in rows[: int(request.query.get("limit", 15))]]})

    def _add(self, request: Incoming) -> Reply:
        sent = self._sent(request)
        row = {"id": secrets.token_hex(12), "uuid": str(uuid4()), "status": "draft"}
        self._keep(row, sent | {"slug": self._free_slug(sent.get("slug") or slugify(sent["title"]))})
        return self._told(row, 201)

    def _edit(self, row: dict[str, Any], request: Incoming) -> Reply:
        sent = self._sent(request)
        if "updated_at" not in sent:
            raise Refused(
                422, "Validation error, cannot edit post.", context="Validation failed for posts[0]."
            )
        if sent["updated_at"] != row["updated_at"]:
            message = "Saving failed! Someone else is editing this post."
            raise Refused(409, message, context=message, code="UPDATE_COLLISION")
        self._keep(row, sent)
        return self._told(row)

    def _sent(self, request: Incoming) -> dict[str, Any]:
        assert request.query["source"] == "html", "Ghost reads HTML only if it is told to."
        sent: dict[str, Any] = request.json()["posts"][0]
        for name, most in {
            "title": 255,
            "custom_excerpt": 300,
            "meta_title": 300,
            "meta_description": 500,
        }.items():
            if len(sent.get(name) or "") > most:
                context = f"Value in [posts.{name}] exceeds maximum length of {most} characters. posts.{name}"
                raise Refused(422, "Validation error, cannot save post.", context=context)
        return sent

    def _keep(self, row: dict[str, Any], sent: dict[str, Any]) -> None:
        tags = [self._tag(tag["name"]) for tag in sent.get("tags", [])]
        row |= {**sent, "tags": tags, "html": re.sub(r"<!--(?!kg-card).*?-->", "", sent["html"])}
        self._touch(row)
        self.rows[row["id"]] = row

    def touch(self, post_id: str) -> None:
        """Somebody saves the post there."""
        with self.lock:
            self._touch(self.rows[post_id])

    def _touch(self, row: dict[str, Any]) -> None:
        self._changes += 1
        row["updated_at"] = datetime.fromtimestamp(_EPOCH + self._changes, UTC).isoformat()

    def _tag(self, name: str) -> dict[str, str]:
        """The tag of exactly that name, new if need be; another's slug gets a number."""
        for tag in self.tags.values():
            if tag["name"] == name:
                return tag
        slug = f"hash-{slugify(name)}" if name.startswith("#") else slugify(name)
        slug = _numbered(slug, set(self.tags))
        self.tags[slug] = {"id": secrets.token_hex(12), "name": name, "slug": slug}
        return self.tags[slug]

    def _tags(self, request: Incoming, rest: list[str]) -> Reply:
        if not rest:
            wanted = re.findall(r"'([^']*)'", request.query["filter"])
            return Reply.json({"tags": [tag for slug, tag in self.tags.items() if slug in wanted]})
        found = [tag for tag in self.tags.values() if rest[-1] in {tag["slug"], tag["id"]}]
        if not found:
            raise Refused(404, "Resource not found error, cannot read tag.", context="Tag not found.")
        if request.method == "DELETE":
            del self.tags[found[0]["slug"]]
            return Reply(204)
        return Reply.json({"tags": found})

    def _free_slug(self, slug: str) -> str:
        return _numbered(slug, {row["slug"] for row in self.rows.values()})

    def _told(self, row: dict[str, Any], status: int = 200) -> Reply:
        return Reply.json({"posts": [self._seen(row)]}, status)

    def _seen(self, row: dict[str, Any]) -> dict[str, Any]:
        path = row["slug"] if row["status"] == "published" else f"p/{row['uuid']}"
        return {**row, "url": f"{self.address}/{path}/"}


def _marker_of_tags(tags: list[dict[str, str]]) -> str | None:
    found = [match[1] for tag in tags if (match := _MARKER.fullmatch(tag["name"]))]
    return str(UUID(found[0])) if found else None


def _numbered(slug: str, taken: set[str]) -> str:
    free, number = slug, 2
    while free in taken:
        free, number = f"{slug}-{number}", number + 1
    return free


def _last(path: str) -> str:
    return path.strip("/").rpartition("/")[2]


def _wrong_version(version: str) -> Refused:
    context = f"Provided client accept-version {version} is ahead of current Ghost version v5.130."
    message = "Request could not be served, the endpoint was not found."
    return Refused(406, message, context=context, code="UPDATE_GHOST")
