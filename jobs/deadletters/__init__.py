"""Dead letters: runs that failed or were lost for good, by cause; what people decide about them; making them again."""

from jobs.deadletters.decisions import muted_among

__all__ = ["muted_among"]
