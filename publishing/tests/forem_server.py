"""A stand-in of DEV's API (Forem, version 1), with the statuses and sentences of its controllers."""

import re
from datetime import UTC, datetime
from itertools import count
from typing import Any

from publishing.tests.faulty_server import FaultyServer, Incoming, Reply

API_KEY = "a-key-of-dev"
_MARKER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class ForemServer(FaultyServer):
    """`articles` are those of the account. With `keeps_drafts` it answers 201 to everything and publishes nothing new."""

    kind = "devto"

    def __init__(self) -> None:
        super().__init__()
        self.articles: list[dict[str, Any]] = []
        self.keeps_drafts = False
        self._numbers = count(4169381)

    def settings(self) -> dict[str, Any]:
        return {"site": self.address}

    def secrets(self) -> dict[str, str]:
        return {"api_key": API_KEY}

    def count(self, marker: str) -> int:
        return sum(marker in each["body_markdown"] and each["published"] for each in self.articles)

    def text_of(self, marker: str) -> str:
        texts = {_marker_in(each["body_markdown"]): each for each in self.articles if each["published"]}
        return f"{texts[marker]['title']}\n{texts[marker]['body_markdown']}"

    def marker_of(self, request: Incoming) -> str | None:
        if request.method == "GET":
            return None
        article = request.json().get("article", {})
        known = self._article(request.path.rpartition("/")[2])
        return _marker_in(article.get("body_markdown") or (known or {}).get("body_markdown", ""))

    def busy(self) -> Reply:
        body = {"error": f"Rate limit reached, try again in {self.retry_after} seconds", "status": 429}
        return Reply.json(body, 429, {"Retry-After": str(self.retry_after)})

    def forbidden(self) -> Reply:
        return Reply.json({"error": "unauthorized", "status": 401}, 401)

    def respond(self, request: Incoming) -> Reply:
        if request.headers.get("api-key") != API_KEY:
            return self.forbidden()
        assert request.headers["accept"] == "application/vnd.forem.api-v1+json"
        if request.path == "/api/users/me":
            return Reply.json({"type_of": "user", "id": 1, "username": "news", "name": "News"})
        if request.path == "/api/articles/me/all":
            return self._list(request.query)
        if request.method == "POST":
            return self._create(request.json()["article"])
        article = self._article(request.path.rpartition("/")[2])
        if article is None:
            return Reply.json({"error": "not found", "status": 404}, 404)
        return self._save(article, request.json()["article"], 200)

    def _list(self, query: dict[str, str]) -> Reply:
        # published_at DESC, and PostgreSQL puts what has none first
        ordered = sorted(self.articles, key=lambda each: each["published_at"] or "9999", reverse=True)
        size, number = min(int(query.get("per_page", 30)), 1000), int(query.get("page", 1))
        return Reply.json(ordered[size * (number - 1) : size * number])

    def _create(self, given: dict[str, Any]) -> Reply:
        number = next(self._numbers)
        article = {"type_of": "article", "id": number, "published": False, "published_at": None}
        return self._save(article, given, 201)

    def _save(self, article: dict[str, Any], given: dict[str, Any], status: int) -> Reply:
        if problem := self._problem(article, given):
            return Reply.json({"error": problem, "status": 422}, 422)
        is_new = article["id"] not in {each["id"] for each in self.articles}
        article |= given
        article["published"] = bool(given.get("published", article["published"])) and not (
            self.keeps_drafts and is_new
        )
        if article["published"] and article["published_at"] is None:
            article["published_at"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        article["url"] = f"{self.address}/news/{article['id']}"
        if is_new:
            self.articles.append(article)
        shown = {name: value for name, value in article.items() if name != "published"}
        return Reply.json(shown, status, {"Location": article["url"]} if status == 201 else {})

    def _problem(self, article: dict[str, Any], given: dict[str, Any]) -> str:
        title = given.get("title", article.get("title", ""))
        if not title:
            return "Title can't be blank"
        if len(title) > 128:
            return "Title is too long (maximum is 128 characters)"
        if len(given.get("tags", [])) > 4:
            return "Tag list exceed the maximum of 4 tags"
        if wrong := [tag for tag in given.get("tags", []) if not tag.isalnum()]:
            return f'Tag "{wrong[0]}" contains non-alphanumeric or prohibited unicode characters'
        url = given.get("canonical_url")
        if url and any(each.get("canonical_url") == url and each is not article for each in self.articles):
            return "Canonical url has already been taken"
        return ""

    def _article(self, number: str) -> dict[str, Any] | None:
        return next((each for each in self.articles if str(each["id"]) == number), None)


def _marker_in(text: str) -> str:
    found = _MARKER.search(text)
    return found[0] if found else ""
