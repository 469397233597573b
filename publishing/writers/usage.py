"""What a step cost."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Usage:
    """What one step took from a model; all zero for writers that ask none."""

    #: Name of the model that answered, or of the writer when there is none.
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    #: In US dollars.
    cost: Decimal = Decimal(0)
    #: How long the model took to answer.
    seconds: float = 0.0
