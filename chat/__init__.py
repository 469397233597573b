"""Asking language models. A layer of its own, for whoever needs one; see `docs/chat.md`.

`ask(messages, read)` gives an answer that can be used, `complete(messages)` any answer; both cost money, and their errors
say what they have cost.
"""

from chat.answers import estimated_tokens
from chat.asking import Given, ask
from chat.completion import Answer, Progress, complete
from chat.endpoint import Endpoint, configured, price_of, why_not
from chat.errors import ChatError, ChatRefused, ChatUnavailable, CutOff, Unusable
from chat.structured import read_json, without_thoughts
from chat.usage import Price, Usage

__all__ = [
    "Answer",
    "ChatError",
    "ChatRefused",
    "ChatUnavailable",
    "CutOff",
    "Endpoint",
    "Given",
    "Price",
    "Progress",
    "Unusable",
    "Usage",
    "ask",
    "complete",
    "configured",
    "estimated_tokens",
    "price_of",
    "read_json",
    "why_not",
    "without_thoughts",
]
