"""What can be wrong with a timing."""

from jobs.errors import JobsError


class InvalidTiming(JobsError):
    """A schedule cannot be read: `field` names the part at fault, `reason` says what is wrong in a sentence."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def quoted(text: str) -> str:
    """What somebody typed, fit for a message of bounded length."""
    return f"'{text}'" if len(text) <= 40 else f"'{text[:40]}…'"
