"""A worker for tests that need a run to be really carried out."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.spawner import Spawner


@contextmanager
def worker(spawner: Spawner) -> Iterator[None]:
    """One worker with one process, on this test session's database and broker."""
    process = spawner.celery("worker", "-c", "1", "-l", "WARNING", "--without-gossip", "--without-mingle")
    try:
        yield
    finally:
        process.stop()
