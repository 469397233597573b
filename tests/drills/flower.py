"""`python -m tests.drills.flower`: a real Flower watches a running installation.

Workers send events (`WORKER_EVENTS=1`), runs of every kind are made, one is revoked from Flower. What Flower knows must
be what the ledger knows, under the same ids.
"""

import json
import os
import sys
import tempfile
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import ledger
from jobs.models import JobRun
from jobs.remote.inspection import inspect
from tests.chaos.world import World, eventually, inside, new_world
from tests.drills.programs import Program, fetch, fetch_json, free_port, program, until
from tests.jobs_for_tests import tasks

WATCHED = {"WORKER_EVENTS": "1"}


@dataclass(frozen=True)
class Found:
    """What Flower tells in the end, beside the ledger."""

    workers: set[str]
    states: dict[str, str]
    states_in_ledger: dict[str, str]
    revoked: JobRun


class Flower:
    """A running Flower and its HTTP API."""

    def __init__(self, port: int, running: Program) -> None:
        self.address = f"http://127.0.0.1:{port}/api"
        self.running = running

    def workers(self) -> dict[str, Any]:
        found: dict[str, Any] = fetch_json(f"{self.address}/workers?refresh=true")
        return found

    def tasks(self) -> dict[str, Any]:
        """By id."""
        found: dict[str, Any] = fetch_json(f"{self.address}/tasks")
        return found

    def revoke(self, task_id: str) -> None:
        fetch(f"{self.address}/task/revoke/{task_id}", post=b"")


@contextmanager
def flower(folder: Path) -> Iterator[Flower]:
    """Flower beside the installation, once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "celery", "-A", "config.celery", "flower"]
    options = [f"--port={port}", "--address=127.0.0.1", "--inspect_timeout=3000"]
    with program(*command, *options, log=folder / "flower.log", FLOWER_UNAUTHENTICATED_API="1") as running:
        watcher = Flower(port, running)
        until(watcher.workers, "Flower answers", running)
        yield watcher


def drill(world: World, folder: Path) -> Found:
    """Watch some runs end, each in another way."""
    world.stop_workers()
    with _events():
        worker = world.new_worker()
        world.beat()
        with flower(folder) as watcher:
            until(lambda: worker.name in watcher.workers(), "Flower knows the worker", watcher.running)
            runs = [tasks.add_numbers.enqueue(left=1), tasks.fail_for_good.enqueue(as_bug=True)]
            runs += [
                tasks.fail_transiently.enqueue(until_attempt=2),
                tasks.handle_units.enqueue(good=1, bad=1),
            ]
            revoked = _revoke_a_waiting_run(world, watcher)
            world.settled()
            for run in runs:
                run.refresh_from_db()
            wanted = {str(run.id): run.celery_state for run in runs}
            until(lambda: _states(watcher, wanted) == wanted, f"Flower knows {wanted}", watcher.running)
            revoked.refresh_from_db()
            found = Found(set(watcher.workers()), _states(watcher, wanted), wanted, revoked)
    world.stop_workers()
    return found


@contextmanager
def _events() -> Iterator[None]:

    os.environ.update(WATCHED)
    try:
        yield
    finally:
        for name in WATCHED:
            del os.environ[name]


def _revoke_a_waiting_run(world: World, watcher: Flower) -> JobRun:
    """Fill every place of the worker, and revoke a run that it holds and has not begun."""
    filling = [tasks.count_slowly.enqueue(until=2000, pause=0.05) for _ in range(2)]
    for run in filling:
        world.until_marked(run)
    victim = tasks.echo_text.enqueue(text="never")
    eventually(lambda: str(victim.id) in _reserved(), "the worker holds the victim")
    watcher.revoke(str(victim.id))
    for run in filling:
        ledger.cancel(run.id, by=None)
    return victim


def _reserved() -> list[str]:
    return [held.id for report in inspect().reports.values() for held in report.reserved]


def _states(watcher: Flower, wanted: dict[str, str]) -> dict[str, str]:
    known = watcher.tasks()
    return {task_id: known[task_id]["state"] for task_id in wanted if task_id in known}


def main() -> int:
    """0 when Flower and the ledger agree."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with new_world(folder) as world, inside(world.stack):
            try:
                found = drill(world, folder)
            except urllib.error.HTTPError as error:
                sys.stderr.write(f"{error.url}: {error}\n")
                return 1
    said = {
        "workers": sorted(found.workers),
        "states": found.states,
        "ledger": found.states_in_ledger,
        "revoked": f"{found.revoked.status}: {found.revoked.reason}",
    }
    sys.stdout.write(json.dumps(said, indent=2) + "\n")
    return 0 if found.states == found.states_in_ledger else 1


if __name__ == "__main__":
    sys.exit(main())
