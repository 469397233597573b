"""Posts that are published twice or lost while publishers go wrong and workers are killed; and claiming what is due.

Posts go out to several publishers each, over a minute. Four of ten requests go wrong: refused, dropped, cut after the
commit, half an answer, too slow, carried out when nobody waits any more, 429, 500 before and after the commit, a proxy's
503, 401, no JSON. Meanwhile workers and schedulers are killed with -9 and the broker loses its messages. When that has
stopped and a person has looked at what is left to people, each publication must be at its server once, or have a reason
why not (`tests.drills.posts`).

The claim is measured among 100,000 scheduled posts.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from benchmarks import SERVERS
from benchmarks.harness import Process, Row, execute, main, stopwatch, wait_until
from jobs.context import ActiveRun
from jobs.models import JobRun, ProcessHeartbeat
from publishing import posts, rounds
from publishing.models import Post
from tests.drills import posts as drill

CELERY = (sys.executable, "-m", "celery", "-A", "config")
QUICK_REACTIONS = {
    "JOBS_LEASE_SECONDS": "4",
    "JOBS_HEARTBEAT_SECONDS": "1",
    "JOBS_TICK_SECONDS": "0.5",
    "JOBS_REPUBLISH_SECONDS": "3",
    "JOBS_WATCH_SECONDS": "2",
}
#: On a crowded machine the posts take longer than planned: so does the havoc, by so much at most.
LONGER_SECONDS = 120
SETTLE_SECONDS = 180
DUE = 500


def measure(quick: bool) -> list[Row]:
    """Duplicates and losses of the drill, then the cost of a claim."""
    seed = random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    found, disasters = run_drill(60 if quick else 1000, seconds=6 if quick else 60, seed=seed)
    print(found)
    bad = found.duplicates + len(found.unexplained)
    told = ", ".join(f"{count} x {what}" for what, count in sorted(disasters.items()))
    head = Row(
        name=f"doubled or lost of {found.publications:,} publications",
        value=bad,
        unit="publications",
        target="0",
        ok=bad == 0,
        note=f"{found.met.total():,} faults; {told}; seed {seed}",
    )
    return [head, *measure_claim(20_000 if quick else 100_000)]


def run_drill(count: int, *, seconds: int, seed: int) -> tuple[drill.Findings, Counter[str]]:
    """Schedule, wreak havoc, let it settle, look; what the drill has found, and the disasters there were."""
    with drill.world(seed=seed) as world, running(world) as (workers, beats), ExitStack() as stack:
        world.open(stack)
        drill.make_rounds()
        drill.schedule(world, count, first=timedelta(seconds=3), over=timedelta(seconds=seconds))
        connection.close()
        disasters = wreak_havoc(world, workers, beats, until=time.time() + seconds + 5)
        world.calm_down()
        settle()
        wrong = drill.left_to_people(world)
        while drill.decide(world):
            settle()
        found = drill.examine(world)
        found.unexplained += wrong
        if found.unexplained:
            for process in (*workers, *beats):
                print(f"--- {process.pid}\n{process.output[-3000:]}")
        return found, disasters


@contextmanager
def running(world: drill.World) -> Iterator[tuple[list[Process], list[Process]]]:
    """Two workers and two schedulers."""
    told = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in world.settings.items()
    }
    environment = QUICK_REACTIONS | told
    with ExitStack() as stack:
        workers = [
            _kept("worker", "-c", "3", "-Q", "publishing", "-n", f"w{number}@posts", **environment)
            for number in range(2)
        ]
        beats = [_kept("beat", **environment) for _ in range(2)]
        for process in (*workers, *beats):
            stack.enter_context(process)
        wait_until(lambda: ProcessHeartbeat.objects.count() == 4, seconds=60, what="workers and schedulers")
        yield workers, beats


def _kept(*arguments: str, **environment: str) -> Process:
    return Process("config.keep_running", *CELERY, *arguments, **environment)


def wreak_havoc(
    world: drill.World, workers: list[Process], beats: list[Process], *, until: float
) -> Counter[str]:
    """Kill something every few seconds until that Unix time, and for a while longer until every publication was tried.

    What is killed starts again at once.
    """
    chance = random.Random(world.chance.random())
    disasters: dict[str, Callable[[], None]] = {
        "worker killed": lambda: restart(chance.choice(workers)),
        "scheduler killed": lambda: restart(chance.choice(beats)),
        "server away": world.refuse_for_a_moment,
        "broker flushed": SERVERS.flush_broker,
    }
    others = [name for name in disasters if name != "worker killed"]
    done: Counter[str] = Counter()
    waiting: list[str] = []
    while time.time() < until or (time.time() < until + LONGER_SECONDS and drill.is_anything_untried(world)):
        time.sleep(chance.uniform(2, 5))
        if not waiting:  # a worker dies every other time
            waiting = [name for other in chance.sample(others, 3) for name in ("worker killed", other)]
        what = waiting.pop(0)
        disasters[what]()
        done[what] += 1
    return done


def restart(process: Process) -> None:
    process.kill()
    process.start()


def settle() -> None:
    """Wait until nothing more happens by itself; what has not settled then is not explained."""
    try:
        wait_until(drill.is_settled, seconds=SETTLE_SECONDS, what="every publication to settle", every=0.25)
    except TimeoutError as error:
        print(f"Not settled: {error}\n{drill.open_things()}", flush=True)


def measure_claim(count: int) -> list[Row]:
    """One claim of a batch among many scheduled posts, and a whole round of it."""
    now = timezone.now()
    Post.objects.all().delete()
    execute(
        """
        INSERT INTO publishing_post (title, slug, body_html, excerpt, language, tags, keywords, meta_title,
            meta_description, canonical_url, revision, word_count, notes, status, scheduled_at, created_at, updated_at)
        SELECT 'Post ' || n, 'bench-' || n, '<p>Text</p>', '', 'en', '{}', '{}', '', '', '', 1, 1, '{}', 'scheduled',
            %(now)s::timestamptz + CASE WHEN n <= %(due)s THEN -1 ELSE 1 END * n * interval '1 second', now(), now()
        FROM generate_series(1, %(count)s) AS n
        """,
        {"now": now, "due": DUE, "count": count},
    )
    execute("VACUUM ANALYZE publishing_post")
    claims = []
    for _ in range(20):
        with stopwatch() as seconds, transaction.atomic():
            claimed = posts.claim_due(rounds.CLAIMED, at=now)
            assert len(claimed) == rounds.CLAIMED
            transaction.set_rollback(True)
        claims.append(seconds())
    plan = _plan(now)
    print(plan)
    with stopwatch() as whole:
        begun = rounds.begin_due(ActiveRun(JobRun().id, attempt=1))
    runs = JobRun.objects.filter(job="publishing.publish_post", status=JobRun.Status.QUEUED).count()
    ms = 1000 * sorted(claims)[len(claims) // 2]
    return [
        Row(
            name=f"claim of {rounds.CLAIMED} due posts among {count:,}, p50",
            value=round(ms, 2),
            unit="ms",
            target="< 50 ms",
            ok=ms < 50 and "publishing_post_due" in plan,
            note=f"p100 {1000 * max(claims):.1f} ms; uses its index",
        ),
        Row(
            name="one post begun: claim, transition and run committed",
            value=round(1000 * whole() / begun, 2),
            unit="ms",
            target="for reference",
            ok=begun == DUE and runs >= DUE,
            note=f"{begun} posts, {runs} runs",
        ),
    ]


def _plan(now: datetime) -> str:
    """How PostgreSQL carries the claim out."""
    with transaction.atomic():
        due = Post.objects.due(now).select_for_update(skip_locked=True, of=("self",))
        return due[: rounds.CLAIMED].explain(analyze=True)


if __name__ == "__main__":
    main("posts", __doc__, measure)
