"""The order of the tests, so that every parallel worker is busy until the end.

pytest-xdist gives each worker one block of the list and lets the idle take over from the others. pytest-django puts
the tests that wait for processes last: all in one block, and one worker would be left with them.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest

PROCESSES = Path(__file__).resolve().parent
COMMITTING = {"transactional_db", "live_server", "database_url", "live_port"}


def spread(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """As many blocks as workers: in each first a share of what waits, then of what rolls back, then of what commits.

    Within a worker, what commits stays behind what rolls back: it empties tables that migrations have filled.
    """
    kinds: tuple[list[pytest.Item], ...] = ([], [], [])
    for item in items:
        kinds[_kind(item)].append(item)
    waiting, rolling_back, committing = kinds
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        mine = waiting[worker::workers]
        last = _share(committing, worker, workers)
        count = max(size - len(mine) - len(last), 0) if worker < workers - 1 else len(rolling_back)
        ordered += [*mine, *rolling_back[:count], *last]
        rolling_back = rolling_back[count:]
    return ordered


def _share(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    """Neighbours stay together: they share what their module sets up."""
    return items[len(items) * worker // workers : len(items) * (worker + 1) // workers]


def _kind(item: pytest.Item) -> int:
    marker = item.get_closest_marker("django_db")
    fixtures = set(getattr(item, "fixturenames", ()))
    if COMMITTING & fixtures or (marker is not None and marker.kwargs.get("transaction")):
        return 2
    is_waiting = marker is None and "db" not in fixtures and PROCESSES in item.path.parents
    return 0 if is_waiting else 1
