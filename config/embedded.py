"""The embedded PostgreSQL and Valkey of one checkout."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StackUrls:
    """Where the two embedded servers of a checkout listen."""

    database_url: str
    broker_url: str


def urls(root: Path) -> StackUrls:
    """The URLs of the embedded servers of the checkout at `root`, whether they run or not."""
    folder = f"/tmp/almanac-{hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]}"  # noqa: S108
    return StackUrls(
        database_url=f"postgresql:///almanac?host={folder}&user=almanac",
        broker_url=f"redis+socket://{folder}/valkey.sock",
    )
