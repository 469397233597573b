"""What a step cost."""

from chat.usage import Price, Usage

__all__ = ["Price", "Usage"]
