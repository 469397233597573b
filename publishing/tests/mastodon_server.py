"""A stand-in of a Mastodon instance, with the fields and sentences of recorded answers of a real one (4.5)."""

import html
import re
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from publishing.tests.faulty_server import FaultyServer, Incoming, Reply

TOKEN = "a-token-of-mastodon"
_LINK = re.compile(r"(https?://)(\S{1,30})(\S*)|#(\w+)")
_COUNTED_LINK = re.compile(r"https?://\S+")


class MastodonServer(FaultyServer):
    """`statuses` are what the account has posted, the newest last; `keys` the idempotency keys of the last hour."""

    kind = "mastodon"

    def __init__(self) -> None:
        super().__init__()
        self.statuses: list[dict[str, Any]] = []
        self.keys: dict[str, str] = {}
        self.markers: dict[str, str] = {}
        self.most_characters = 500
        self._numbers = count(117440831243989713)

    def settings(self) -> dict[str, Any]:
        return {"instance": self.address}

    def secrets(self) -> dict[str, str]:
        return {"token": TOKEN}

    def count(self, marker: str) -> int:
        return sum(self.markers[status["id"]] == marker for status in self.statuses)

    def text_of(self, marker: str) -> str:
        return {self.markers[status["id"]]: str(status["text"]) for status in self.statuses}[marker]

    def marker_of(self, request: Incoming) -> str | None:
        if request.method == "GET":
            return None
        number = request.path.rpartition("/")[2]
        return request.headers.get("idempotency-key") or self.markers.get(number, "")

    def busy(self) -> Reply:
        reset = (datetime.now(UTC) + timedelta(seconds=self.retry_after)).isoformat().replace("+00:00", "Z")
        headers = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
        return Reply.json({"error": "Too many requests"}, 429, headers)

    def forbidden(self) -> Reply:
        return Reply.json({"error": "The access token is invalid"}, 401)

    def respond(self, request: Incoming) -> Reply:
        if request.path == "/api/v2/instance":
            sizes = {"max_characters": self.most_characters, "characters_reserved_per_url": 23}
            return Reply.json({"domain": "localhost", "configuration": {"statuses": sizes}})
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return self.forbidden()
        if request.path == "/api/v1/accounts/verify_credentials":
            return Reply.json({"id": "117440810532227399", "username": "news", "acct": "news"})
        if request.path == "/api/v1/accounts/117440810532227399/statuses":
            return self._list(request.query)
        if request.path == "/api/v1/statuses":
            return self._post(request)
        return self._change(request)

    def _list(self, query: dict[str, str]) -> Reply:
        before = [each for each in self.statuses if int(each["id"]) < int(query.get("max_id", 10**30))]
        page = before[::-1][: min(int(query.get("limit", 20)), 40)]
        return Reply.json([{name: each[name] for name in each if name != "text"} for each in page])

    def _post(self, request: Incoming) -> Reply:
        key = request.headers.get("idempotency-key", "")
        if key in self.keys:
            known = [status for status in self.statuses if status["id"] == self.keys[key]]
            return Reply.json(known[0]) if known else Reply.json({"error": "Record not found"}, 404)
        if (problem := self._problem(request.json())) is not None:
            return problem
        number = str(next(self._numbers))
        self.statuses.append(self._status(number, request.json()))
        self.markers[number] = key
        self.keys[key] = number
        return Reply.json(self.statuses[-1])

    def _problem(self, body: dict[str, Any]) -> Reply | None:
        text = body.get("status", "")
        if not text:
            return Reply.json({"error": "Validation failed: Text can't be blank"}, 422)
        if len(_COUNTED_LINK.sub("x" * 23, text)) > self.most_characters:
            limit = self.most_characters
            return Reply.json({"error": f"Validation failed: Text character limit of {limit} exceeded"}, 422)
        return None

    def _change(self, request: Incoming) -> Reply:
        number = request.path.rpartition("/")[2]
        for place, status in enumerate(self.statuses):
            if status["id"] != number:
                continue
            if request.method == "DELETE":
                return Reply.json(self.statuses.pop(place))
            if (problem := self._problem(request.json())) is not None:
                return problem
            now = datetime.now(UTC).isoformat()
            self.statuses[place] = self._status(number, request.json()) | {"edited_at": now}
            return Reply.json(self.statuses[place])
        return Reply.json({"error": "Record not found"}, 404)

    def _status(self, number: str, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": number,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "edited_at": None,
            "visibility": body.get("visibility", "public"),
            "language": body.get("language"),
            "url": f"{self.address}/@news/{number}",
            "uri": f"{self.address}/ap/users/117440810532227399/statuses/{number}",
            "content": _rendered(body["status"]),
            "text": body["status"],
        }


def _rendered(text: str) -> str:
    """A text as Mastodon shows it: escaped, in paragraphs, links in three pieces, hashtags as links."""
    paragraphs = [
        "<br />".join(_linked(line) for line in part.split("\n")) for part in re.split(r"\n{2,}", text)
    ]
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)


def _linked(line: str) -> str:
    pieces, last = [], 0
    for found in _LINK.finditer(line):
        pieces.append(html.escape(line[last : found.start()]))
        last = found.end()
        scheme, shown, rest, tag = (html.escape(part or "") for part in found.groups())
        if tag:
            link = f'<a href="http://localhost/tags/{tag}" class="mention hashtag" rel="tag">#<span>{tag}</span></a>'
        else:
            link = (
                f'<a href="{scheme}{shown}{rest}" target="_blank" rel="nofollow noopener" translate="no">'
                f'<span class="invisible">{scheme}</span><span class="ellipsis">{shown}</span>'
                f'<span class="invisible">{rest}</span></a>'
            )
        pieces.append(link)
    return "".join([*pieces, html.escape(line[last:])])
