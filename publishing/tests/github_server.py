"""A stand-in of GitHub's contents API, with the statuses and sentences that GitHub answers with."""

import base64
import hashlib
import re
import time
from typing import Any
from urllib.parse import unquote

from publishing.tests.faulty_server import FaultyServer, Incoming, Reply

TOKEN = "a-token-of-github"
_MARKER = re.compile(r"almanac_marker: '?([0-9a-f-]{36})")


class GitHubServer(FaultyServer):
    """One repository, news/blog, with one branch; `files` are its files, `commits` the messages of what changed them."""

    kind = "github"

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.commits: list[str] = []
        self.is_archived = False
        self.may_push = True

    def settings(self) -> dict[str, Any]:
        return {"repository": "news/blog", "api_url": self.address}

    def secrets(self) -> dict[str, str]:
        return {"token": TOKEN}

    def count(self, marker: str) -> int:
        return sum(_marker_in(content) == marker for content in self.files.values())

    def text_of(self, marker: str) -> str:
        return {_marker_in(content): content.decode() for content in self.files.values()}[marker]

    def marker_of(self, request: Incoming) -> str | None:
        if request.method == "GET":
            return None
        sent = base64.b64decode(request.json().get("content", ""))
        return _marker_in(sent or self.files.get(self._path(request), b""))

    def busy(self) -> Reply:
        body = {"message": "API rate limit exceeded for user ID 1.", "status": "403"}
        reset = str(int(time.time()) + self.retry_after)
        return Reply.json(body, 403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset})

    def forbidden(self) -> Reply:
        return Reply.json({"message": "Bad credentials", "status": "401"}, 401)

    def respond(self, request: Incoming) -> Reply:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.forbidden()
        if request.path == "/repos/news/blog":
            about = {"full_name": "news/blog", "default_branch": "main", "archived": self.is_archived}
            return Reply.json(about | {"permissions": {"pull": True, "push": self.may_push}})
        if request.path == "/repos/news/blog/branches/main":
            return Reply.json({"name": "main"})
        if not request.path.startswith("/repos/news/blog/contents/"):
            return Reply.json({"message": "Not Found", "status": "404"}, 404)
        if request.method == "GET":
            return self._get(request)
        return self._commit(request)

    def _get(self, request: Incoming) -> Reply:
        path = self._path(request)
        if path not in self.files or request.query.get("ref", "main") != "main":
            return Reply.json({"message": "Not Found", "status": "404"}, 404)
        encoded = base64.encodebytes(self.files[path]).decode()
        return Reply.json(self._content(path) | {"content": encoded, "encoding": "base64"})

    def _commit(self, request: Incoming) -> Reply:
        path, body = self._path(request), request.json()
        if self.is_archived:
            return Reply.json({"message": "Repository was archived so is read-only.", "status": "403"}, 403)
        if not self.may_push:
            message = "Resource not accessible by personal access token"
            return Reply.json({"message": message, "status": "403"}, 403)
        if body.get("branch", "main") != "main":
            return Reply.json({"message": f"Branch {body['branch']} not found", "status": "404"}, 404)
        if path in self.files and "sha" not in body:
            return Reply.json(
                {"message": 'Invalid request.\n\n"sha" wasn\'t supplied.', "status": "422"}, 422
            )
        if path in self.files and body["sha"] != _sha(self.files[path]):
            return Reply.json({"message": f"{path} does not match {body['sha']}", "status": "409"}, 409)
        is_new = path not in self.files
        if request.method == "DELETE":
            if is_new:
                return Reply.json({"message": "Not Found", "status": "404"}, 404)
            del self.files[path]
            content = None
        else:
            self.files[path] = base64.b64decode(body["content"])
            content = self._content(path)
        self.commits.append(body["message"])
        status = 201 if is_new else 200
        return Reply.json({"content": content, "commit": {"message": body["message"]}}, status)

    def _content(self, path: str) -> dict[str, Any]:
        url = f"https://github.com/news/blog/blob/main/{path}"
        return {"type": "file", "path": path, "sha": _sha(self.files[path]), "html_url": url}

    def _path(self, request: Incoming) -> str:
        return unquote(request.path).removeprefix("/repos/news/blog/contents/")


def _sha(content: bytes) -> str:
    """The name that Git gives a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _marker_in(content: bytes) -> str:
    found = _MARKER.search(content.decode())
    return found[1] if found else ""
