"""What a post will probably take, before anything is asked."""

from decimal import Decimal

from chat import Endpoint, Usage, estimated_tokens
from publishing.commissions.material import material
from publishing.commissions.prompts import Message, outline_messages
from publishing.writers.base import Brief

#: Tokens for each word of an answer: more than English needs, and enough for Polish.
_TOKENS_IN_WORD = 2.5
_OUTLINE_TOKENS, _META_TOKENS = 1_500, 600
#: What stands in the other prompts beside the same brief and sources.
_MORE_TOKENS = 500


def estimate(brief: Brief, endpoint: Endpoint) -> Usage:
    """What three answers take, each of them usable at once. What a model thinks and does not show is not in it."""
    outline = _tokens(outline_messages(brief, material(brief)))
    text = int(brief.words[1] * _TOKENS_IN_WORD)
    tokens_in = outline + (outline + _OUTLINE_TOKENS + _MORE_TOKENS) + (text + _MORE_TOKENS)
    tokens_out = _OUTLINE_TOKENS + text + _META_TOKENS
    return Usage(
        model=endpoint.model,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost=endpoint.price.of(tokens_in, tokens_out) if endpoint.price else Decimal(0),
        price=endpoint.price,
        is_estimated=True,
        calls=3,
    )


def _tokens(messages: list[Message]) -> int:
    return sum(estimated_tokens(message["content"]) for message in messages)
