"""A receiver of webhooks that keeps what it gets."""

from collections import Counter
from typing import Any

from publishing.tests.faulty_server import FAULTS, FaultyServer, Incoming, Reply

__all__ = ["FAULTS", "KEY", "Receiver"]

KEY = "a signing key of at least 24 bytes"


class Receiver(FaultyServer):
    """`posts` counts each post that was taken, by its id."""

    kind = "webhook"

    def __init__(self) -> None:
        super().__init__()
        self.posts: Counter[str] = Counter()
        self.texts: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"{self.address}/posts"

    def settings(self) -> dict[str, Any]:
        return {"url": self.url, "status_url": self.url}

    def secrets(self) -> dict[str, str]:
        return {"key": KEY}

    def count(self, marker: str) -> int:
        return self.posts[marker]

    def text_of(self, marker: str) -> str:
        return self.texts[marker]

    def marker_of(self, request: Incoming) -> str | None:
        return str(request.json().get("id", "")) if request.method != "GET" else None

    def respond(self, request: Incoming) -> Reply:
        if request.method == "GET":
            marker = request.query.get("id", "")
            return self._found(marker) if self.posts[marker] else Reply.json({}, 404)
        message = request.json()
        marker, action = str(message.get("id", "")), message["action"]
        if action == "delete":
            self.posts.pop(marker, None)
            self.texts.pop(marker, None)
            return Reply.json({})
        if action == "publish":
            self.posts[marker] += 1
        self.texts[marker] = f"{message['data'].get('title')}\n{message['data'].get('html')}"
        return self._found(marker)

    def _found(self, marker: str) -> Reply:
        return Reply.json({"id": marker[:8], "url": f"http://blog.example/{marker}"})
