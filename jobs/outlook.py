"""What the queues will do: runs and coming slots played through on the workers that live now, many times over.

Each time every duration is drawn from history, so that the outcome is a distribution: when something will start
and end, and the chance that it will miss its deadline. Runs are taken in the order in which they are ready; workers
take from their queues only, as many at a time as they have processes.
"""

import heapq
import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

#: About so many runs are played through in all, whatever their number: more runs, fewer times.
STEPS = 100_000
FEWEST, MOST = 15, 200


@dataclass(frozen=True)
class Worker:
    """A living worker: what it takes from, and how much at a time."""

    name: str
    queues: frozenset[str]
    places: int


@dataclass(frozen=True)
class Job:
    """Something that will run: a waiting run or a coming slot."""

    key: Hashable
    queue: str
    #: Seconds from now until it may start; 0 for what waits already.
    ready: float
    #: Equally likely durations in seconds; without any it is taken for instantaneous.
    durations: Sequence[float]


@dataclass(frozen=True)
class Running:
    """Something that runs now: on which worker, and the seconds it may still take."""

    key: Hashable
    worker: str
    left: Sequence[float]


@dataclass(frozen=True)
class Course:
    """How something went in each time that it was played through: seconds from now, in ascending order."""

    starts: Sequence[float]
    ends: Sequence[float]


def play(
    workers: Sequence[Worker],
    running: Iterable[Running],
    jobs: Iterable[Job],
    *,
    seed: int = 0,
) -> dict[Hashable, Course]:
    """Play it through; what no worker takes is left out. The same question has the same answer."""
    running = list(running)
    jobs = sorted(jobs, key=lambda job: job.ready)
    times = min(max(STEPS // max(len(jobs) + len(running), 1), FEWEST), MOST)
    rng = random.Random(seed)  # noqa: S311 - plays, guards nothing
    takers = _takers(workers, jobs)
    starts: dict[Hashable, list[float]] = defaultdict(list)
    ends: dict[Hashable, list[float]] = defaultdict(list)
    for _ in range(times):
        free = {worker.name: [0.0] * worker.places for worker in workers}
        for one in running:
            end = rng.choice(one.left) if one.left else 0.0
            starts[one.key].append(0.0)
            ends[one.key].append(end)
            if places := free.get(one.worker):
                heapq.heapreplace(places, end)
        for job in jobs:
            if not (queue_takers := takers[job.queue]):
                continue
            places = min((free[name] for name in queue_takers), key=lambda places: places[0])
            start = max(job.ready, places[0])
            end = start + (rng.choice(job.durations) if job.durations else 0.0)
            heapq.heapreplace(places, end)
            starts[job.key].append(start)
            ends[job.key].append(end)
    return {key: Course(sorted(starts[key]), sorted(ends[key])) for key in ends}


def _takers(workers: Sequence[Worker], jobs: Iterable[Job]) -> Mapping[str, list[str]]:
    return {
        queue: [worker.name for worker in workers if queue in worker.queues and worker.places]
        for queue in {job.queue for job in jobs}
    }
