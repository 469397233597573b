"""A worker for tests that need a run to be really carried out."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.spawner import Spawner


@contextmanager
def worker(spawner: Spawner, *, queues: str = "default") -> Iterator[None]:
    """One worker with one process, on this test session's database and broker."""
    quietly = ("-l", "WARNING", "--without-gossip", "--without-mingle")
    process = spawner.celery("worker", "-c", "1", "-Q", queues, *quietly)
    try:
        yield
    finally:
        process.stop()
