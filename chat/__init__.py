"""Asking language models. A layer of its own, for whoever needs one; see `docs/chat.md`."""

from chat.usage import Price, Usage

__all__ = ["Price", "Usage"]
