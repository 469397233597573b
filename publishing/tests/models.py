"""A language model that knows which step of a post it is asked for, and a text of it that may go out."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chat.tests.model_server import KEY, Fail, ModelServer, Plan, Say

OUTLINE = {
    "angle": "The harbour is repaired.",
    "sections": [
        {"heading": "Introduction", "points": ["repairs"], "sources": [2, 1], "words": 150},
        {"heading": "Repairs", "points": ["quay", "dock"], "sources": [4], "words": 300},
    ],
}
META = {
    "title": "What changed at the harbour ferry",
    "meta_title": "Harbour ferry: what changed",
    "meta_description": "The quay was repaired and the timetable of the harbour ferry is new. Read what that means.",
    "excerpt": "The quay was repaired, and the timetable is new.",
    "keywords": ["harbour ferry", "timetable", "quay", "dock", "captain", "island"],
}
SENTENCE = (
    "The harbour ferry was repaired in March, and it is said that the quay had been closed for nine days."
)


def text(words: int = 560, middle: str = "") -> str:
    """A text in Markdown of about so many words, which names the sources 2, 4 and 1."""
    count = words // 20 // 3
    paragraph = " ".join([SENTENCE] * count)
    return f"{paragraph} [2]\n\n## Repairs of the quay\n\n{paragraph} [4, 1]\n{middle}\n\n## What follows\n\n{paragraph}"


def answering(
    body: str | Plan = "", outline: Any = None, meta: Any = None
) -> Callable[[dict[str, Any]], Plan]:
    """A model that knows which step it is asked for."""

    def answer(request: dict[str, Any]) -> Plan:
        form = request.get("response_format")
        if form is None:
            said: Any = body or text()
        else:
            is_plan = form["json_schema"]["name"] == "PlanAnswer"
            said = (outline or OUTLINE) if is_plan else (meta or META)
        if isinstance(said, (Say, Fail)):
            return said
        return Say(said if isinstance(said, str) else json.dumps(said), chars=200)

    return answer


def set_up(settings: Any, server: ModelServer) -> None:
    """Let the settings name this server."""
    settings.CHAT_BASE_URL, settings.CHAT_MODEL, settings.CHAT_API_KEY = server.url, "big-model", KEY
    settings.CHAT_PRICES = {"big*": (Decimal(1), Decimal(4), Decimal("0.1"))}
    settings.CHAT_IDLE_SECONDS, settings.CHAT_TOTAL_SECONDS = 2.0, 20.0
