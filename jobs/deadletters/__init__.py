"""Dead letters: runs that failed or were lost for good, by cause; what people decide about them; making them again."""

from jobs.deadletters.decisions import is_muted, muted_among

__all__ = ["is_muted", "muted_among"]
