"""A stand-in of a WordPress site: its REST API as far as publishing needs it, with the oddities that matter.

Slugs that are taken are numbered without a word. A term that exists is refused with its id. Credentials that are not
known are ignored. Fields are saved after the post, so that a complaint about one may come when the post is there.
"""

import base64
import re
from html import escape
from typing import Any
from urllib.parse import urlencode

from publishing.tests.faulty_server import FaultyServer, Incoming, Reply

MARK = re.compile(r"<!-- almanac:([0-9a-f-]{36}) -->")
PASSWORD = "abcd EFGH ijkl MNOP qrst UVWX"
AUTHOR = frozenset({"edit_posts", "publish_posts"})
EDITOR = AUTHOR | {"edit_others_posts", "manage_categories"}
#: What WordPress calls “any” leaves this out.
TRASH = "trash"


class WordPressServer(FaultyServer):
    """`posts` are all posts by their id, `terms` the tags and categories; what the site is like can be set."""

    kind = "wordpress"

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[int, dict[str, Any]] = {}
        self.terms: dict[str, dict[int, str]] = {"tags": {}, "categories": {1: "Uncategorized"}}
        self.may = EDITOR
        self.has_pretty_addresses = True
        self.is_switched_off = False
        #: Another address, which it sends everybody to.
        self.moved_to = ""
        #: As over plain http: no password counts.
        self.takes_passwords = True
        self.strips_authorization = False
        self.search_finds = True
        self.has_trash = True
        self.refuses_meta = False
        self.open_meta: set[str] = set()

    def settings(self) -> dict[str, Any]:
        return {"site_url": self.address, "username": "almanac"}

    def secrets(self) -> dict[str, str]:
        return {"password": PASSWORD}

    def count(self, marker: str) -> int:
        with self.lock:
            return sum(
                _marker_in(post) == marker for post in self.posts.values() if post["status"] == "publish"
            )

    def text_of(self, marker: str) -> str:
        seen = {_marker_in(post): post for post in self.posts.values() if post["status"] == "publish"}
        return f"{seen[marker]['title']} {seen[marker]['content']['raw']}"

    def add(self, slug: str, content: str = "<p>Somebody else's</p>", status: str = "publish") -> int:
        """A post that somebody has written there; gives its id."""
        number = max(self.posts, default=10) + 1
        self.posts[number] = {
            "id": number,
            "slug": "" if status == "pending" and "publish_posts" not in self.may else self._free_slug(slug),
            "status": status,
            "content": {"raw": content},
            "link": f"{self.address}/{self._free_slug(slug)}/",
        }
        return number

    def marker_of(self, request: Incoming) -> str | None:
        route = self._route(request)
        if request.method == "DELETE":
            return _marker_in(self.posts.get(_number(route), {}))
        if request.method == "POST" and (route == "posts" or route.startswith("posts/")):
            return _mark_in(request.json()["content"])
        return None

    def _route(self, request: Incoming) -> str:
        """Below `wp/v2/`; an empty one is the index, and “-” no route at all."""
        named = request.query.get("rest_route") if request.path == "/" else None
        if named is None and self.has_pretty_addresses and request.path.startswith("/wp-json/"):
            named = request.path.removeprefix("/wp-json")
        return "-" if named is None else named.removeprefix("/").removeprefix("wp/v2/")

    def respond(self, request: Incoming) -> Reply:
        if self.moved_to:
            query = urlencode(request.query)
            return Reply(301, b"", {"Location": f"{self.moved_to}{request.path}?{query}"})
        route = self._route(request)
        if route == "-":
            return Reply(404, b"<html>Not Found</html>")
        if route == "":
            methods = {"application-passwords": {}} if self.takes_passwords else []
            return Reply.json({"name": "Blog", "authentication": methods})
        if self.is_switched_off:
            return _error("rest_no_route", 404)
        if (refusal := self._refusal(request, route)) is not None:
            return refusal
        kind, _, rest = route.partition("/")
        if kind in self.terms:
            return self._term(request, kind)
        if route == "users/me":
            return Reply.json(
                {"name": "Ann", "roles": ["editor"], "capabilities": dict.fromkeys(self.may, True)}
            )
        if request.method == "OPTIONS":
            fields = {"meta": {"properties": {key: {"type": "string"} for key in self.open_meta}}}
            return Reply.json({"schema": {"properties": fields}})
        if not rest:
            return self._create(request) if request.method == "POST" else self._list(request)
        return self._one(request, int(rest))

    def _is_known(self, request: Incoming) -> bool:
        if self.strips_authorization or not self.takes_passwords:
            return False
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        return given.replace(" ", "") == f"almanac:{PASSWORD}".replace(" ", "")

    def _refusal(self, request: Incoming, route: str) -> Reply | None:
        is_known = self._is_known(request)
        status = 403 if is_known else 401
        may = self.may if is_known else frozenset()
        sent = request.json() if request.method == "POST" else {}
        if route == "users/me":
            return None if is_known else _error("rest_not_logged_in", 401)
        if "edit_posts" not in may and (request.method != "GET" or request.query.get("context") == "edit"):
            return _error(
                "rest_forbidden_context" if request.method == "GET" else "rest_cannot_create", status
            )
        if route == "posts" and sent.get("status") == "publish" and "publish_posts" not in may:
            return _error("rest_cannot_publish", 403)
        if "author" in sent and "edit_others_posts" not in may:
            return _error("rest_cannot_edit_others", 403)
        if route == "categories" and request.method == "POST" and "manage_categories" not in may:
            return _error("rest_cannot_create", 403)
        return None

    def _list(self, request: Incoming) -> Reply:
        asked = request.query
        statuses = asked.get("status", "publish").split(",")
        found = [
            post
            for post in self.posts.values()
            if post["status"] in statuses or ("any" in statuses and post["status"] != TRASH)
        ]
        if "slug" in asked:
            found = [post for post in found if post["slug"] in asked["slug"].split(",")]
        if "search" in asked:
            found = [
                post for post in found if self.search_finds and asked["search"] in post["content"]["raw"]
            ]
        if asked.get("orderby") == "id" and asked.get("order") == "desc":
            found.sort(key=lambda post: int(post["id"]), reverse=True)
        return Reply.json(found[: int(asked.get("per_page", "10"))])

    def _create(self, request: Incoming) -> Reply:
        sent = request.json()
        number = self.add(sent["slug"], sent["content"], sent["status"])
        self._change(number, sent)
        if self.refuses_meta and "meta" in sent:
            return _error("rest_cannot_update", 403)
        return Reply.json(self.posts[number], 201, {"Location": self.posts[number]["link"]})

    def _change(self, number: int, sent: dict[str, Any]) -> None:
        known = {name: value for name, value in sent.items() if name not in {"slug", "content"}}
        self.posts[number] |= known
        if "content" in sent:
            self.posts[number]["content"] = {"raw": sent["content"]}

    def _one(self, request: Incoming, number: int) -> Reply:
        post = self.posts.get(number)
        if post is None:
            return _error("rest_post_invalid_id", 404)
        if request.method == "DELETE":
            return self._delete(post, is_forced=request.query.get("force") == "true")
        if request.method == "POST":
            self._change(number, request.json())
        return Reply.json(post)

    def _delete(self, post: dict[str, Any], *, is_forced: bool) -> Reply:
        if is_forced:
            return Reply.json({"deleted": True, "previous": self.posts.pop(post["id"])})
        if not self.has_trash:
            return _error("rest_trash_not_supported", 501)
        if post["status"] == TRASH:
            return _error("rest_already_trashed", 410)
        post |= {"status": TRASH, "slug": f"{post['slug']}__trashed"}
        return Reply.json(post)

    def _term(self, request: Incoming, kind: str) -> Reply:
        terms = self.terms[kind]
        if request.method == "GET":
            asked = request.query.get("search", "").lower()
            found = [{"id": number, "name": name} for number, name in terms.items() if asked in name.lower()]
            return Reply.json(found if self.search_finds else [])
        name = escape(request.json()["name"], quote=False)
        for number, known in terms.items():
            if known.lower() == name.lower():
                return _error("term_exists", 400, term_id=number)
        terms[max(terms, default=1) + 1] = name
        return Reply.json({"id": max(terms), "name": name}, 201)

    def _free_slug(self, slug: str) -> str:
        taken = {post["slug"] for post in self.posts.values()}
        number = 2
        free = slug
        while free in taken:
            free, number = f"{slug}-{number}", number + 1
        return free

    def forbidden(self) -> Reply:
        return _error("rest_cannot_create", 401)


def _error(code: str, status: int, **data: object) -> Reply:
    return Reply.json({"code": code, "message": "Sorry.", "data": {"status": status, **data}}, status)


def _mark_in(content: str) -> str:
    found = MARK.search(content)
    return found[1] if found else ""


def _marker_in(post: dict[str, Any]) -> str:
    return _mark_in(post["content"]["raw"]) if post else ""


def _number(route: str) -> int:
    return int(route.partition("/")[2])
