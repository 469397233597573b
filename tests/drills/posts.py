"""The drill of exactly once: posts go out through publishers that go wrong, by workers that are killed.

What the receiving servers have is the truth. It is compared with the ledger by the markers of the publications, after
faults and kills have stopped and a person has looked at what is left to people. `benchmarks.posts` is the long form,
`tests/chaos/test_posts.py` the short one.
"""

import json
import random
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from django.db import models
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.models import Alert, JobRun
from publishing import configuration, posts, publications
from publishing.models import Post, Publication, PublicationAttempt, Publisher
from publishing.publications import LOOK_YOURSELF, MOST_LOOKS
from publishing.tests.faulty_server import FAULTS, FaultyServer, Incoming
from publishing.tests.forem_server import ForemServer
from publishing.tests.ghost_server import GhostServer
from publishing.tests.github_server import GitHubServer
from publishing.tests.mastodon_server import MastodonServer
from publishing.tests.receiver import Receiver
from publishing.tests.wordpress_server import WordPressServer

State = Publication.State

#: The stand-ins of real services: one more kind is one more line.
STAND_INS: tuple[type[FaultyServer], ...] = (
    Receiver,
    WordPressServer,
    GhostServer,
    MastodonServer,
    ForemServer,
    GitHubServer,
)

#: Quick reactions. Production takes twenty times as long, with the same code.
LEASE_SECONDS, SETTLING_SECONDS = 8.0, 2.0
#: Longer than a request may take (a quarter of the lease), shorter than until anybody looks.
SLOW_SECONDS = 2.3
ROUNDS = (
    "publishing.publish_scheduled_posts",
    "publishing.retry_failed_publications",
    "publishing.reconcile_publications",
)
#: What a request that publishes meets, when it meets something. A refusal is for ever, so it is rare.
_WHEN_SENT = [*(fault for fault in FAULTS if fault != "forbidden"), "late"]
_WHEN_READ = ["dropped", "half", "busy", "broken", "proxy_gave_up", "wrong_json", "forbidden"]


class Place(Protocol):
    """Where posts go: something that knows how often it has each."""

    @property
    def kind(self) -> str: ...
    def settings(self) -> dict[str, Any]: ...
    def secrets(self) -> dict[str, str]: ...
    def count(self, marker: str) -> int: ...


class Blind(Receiver):
    """A receiver that cannot be asked what it has: what it does not answer for is left to people."""

    def settings(self) -> dict[str, Any]:
        return {"url": self.url}


class Folder:
    """The publisher of files. Nothing goes wrong on its way but workers."""

    kind = "file"

    def __init__(self, base: Path, name: str) -> None:
        self._base, self._name = base, name

    def settings(self) -> dict[str, Any]:
        return {"folder": self._name}

    def secrets(self) -> dict[str, str]:
        return {}

    def count(self, marker: str) -> int:
        data = (self._base / self._name).glob("*.json")
        return sum(
            json.loads(path.read_text())["marker"] == marker
            for path in data
            if path.with_suffix(".html").exists()
        )


@dataclass
class Findings:
    """What became of the publications."""

    publications: int = 0
    #: Copies too many at the servers.
    duplicates: int = 0
    #: Publications whose state is not what the server says, or has no reason that fits; each with the contradiction.
    unexplained: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    looked: int = 0
    #: How many a person had to look for.
    left_to_people: int = 0

    def __str__(self) -> str:
        def told(counts: Counter[str]) -> str:
            return ", ".join(f"{count:,} x {what}" for what, count in sorted(counts.items()))

        return "\n".join(
            [
                f"{self.publications:,} publications: {told(self.states)}; sent {self.sent:,} times, looked for "
                f"{self.looked:,} times, {self.left_to_people} by a person",
                f"faults: {told(self.met)}",
                *self.unexplained,
            ]
        )


class World:
    """The places, their publishers, and the chance that decides what goes wrong."""

    def __init__(self, folder: Path, *, seed: int, faulty: float) -> None:
        self.chance = random.Random(seed)
        self.faulty = faulty
        self.met: Counter[str] = Counter()
        self.left_to_people = 0
        self._lock = threading.Lock()
        self._files = folder
        kinds: tuple[type[FaultyServer], ...] = (*STAND_INS, Blind)
        self.servers = [kind() for kind in kinds]
        self.places: dict[int, Place] = {}
        #: A publisher that is disabled before its posts are due.
        self.closed: Publisher

    @property
    def settings(self) -> dict[str, Any]:
        """What the processes of the installation must be told."""
        return {
            "OUTBOUND_ALLOWED_HOSTS": [server.host for server in self.servers],
            "PUBLISHED_FILES_DIR": str(self._files),
            "PUBLISHING_LEASE_SECONDS": LEASE_SECONDS,
            "PUBLISHING_SETTLING_SECONDS": SETTLING_SECONDS,
            "PUBLISHING_RETRY_SECONDS": 0.5,
        }

    def open(self, stack: ExitStack) -> None:
        """Start the servers, and make a publisher for each place."""
        for server in self.servers:
            stack.enter_context(server.running())
            server.slow_seconds = SLOW_SECONDS
            server.fault = self._when_sent
            server.fault_of_reading = self._when_read
        places: list[Place] = [*self.servers, Folder(self._files, "open"), Folder(self._files, "closed")]
        for number, place in enumerate(places):
            publisher = Publisher(name=f"{place.kind} {number}", kind=place.kind)
            configuration.save(publisher, settings={**place.settings(), **place.secrets()}, by=None)
            self.places[publisher.pk] = place
        self.closed = publisher

    def _when_sent(self, marker: str) -> str:
        time.sleep(self.chance.uniform(0, 0.1))  # a server takes its time: workers die while they wait for it
        with self._lock:
            if self.chance.random() >= self.faulty:
                return ""
            fault = "forbidden" if self.chance.random() < 0.04 else self.chance.choice(_WHEN_SENT)
            self.met[fault] += 1
            return fault

    def _when_read(self, request: Incoming) -> str:
        with self._lock:
            if self.chance.random() >= self.faulty / 2:
                return ""
            fault = self.chance.choice(_WHEN_READ)
            self.met[f"{fault} (read)"] += 1
            return fault

    def refuse_for_a_moment(self) -> None:
        """One of the servers takes no connections for a second."""
        with self.chance.choice(self.servers).away():
            time.sleep(1)
        self.met["refused for a second"] += 1

    def calm_down(self) -> None:
        """Nothing goes wrong any more."""
        self.faulty = 0.0


@contextmanager
def world(*, seed: int, faulty: float = 0.4) -> Iterator[World]:
    """Places that may go wrong. Their publishers are made by `open`, when there is a database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        yield World(folder, seed=seed, faulty=faulty)


def make_rounds(*, every: int = 1) -> None:
    """Let the jobs that work through publications run every second."""
    interval = IntervalSchedule.objects.create(every=every, period=IntervalSchedule.SECONDS)
    for name in ROUNDS:
        PeriodicTask.objects.create(name=f"quick {name}", task=name, interval=interval)


def schedule(world: World, count: int, *, first: timedelta, over: timedelta) -> None:
    """Schedule posts to several publishers each, evenly, until there are so many publications.

    Some are moved afterwards. One publisher is disabled at the end: what waits for it has to be missed.
    """
    chance, publishers = world.chance, list(Publisher.objects.exclude(pk=world.closed.pk).order_by("pk"))
    chosen: list[tuple[Post, list[Publisher]]] = []
    left = count
    while left:
        some = chance.sample(publishers, min(chance.randint(1, 3), left))
        if len(chosen) % 10 == 9 and left > len(some):
            some.append(world.closed)
        left -= len(some)
        text = {"title": f"Post {len(chosen)}", "body_html": f"<p>Text {len(chosen)}.</p>"}
        chosen.append((posts.write(Post(), text, by=None), some))
    begins, soon = timezone.now() + first, timedelta(seconds=2)
    for number, (post, some) in enumerate(chosen):
        at = begins + over * (number / len(chosen))
        post = posts.schedule(post, max(at, timezone.now() + soon), some, by=None)
        if chance.random() < 0.1:
            posts.schedule(post, max(at + over * 0.05, timezone.now() + soon), some, by=None)
    configuration.disable(world.closed, by=None)
    Publisher.objects.filter(pk=world.closed.pk).update(lateness=timedelta(seconds=10))


def is_anything_untried(world: World) -> bool:
    """Something was not even sent once: faults and kills have not met it yet."""
    publications = Publication.objects.filter(state=State.WAITING, attempts_made=0)
    return publications.exclude(publisher=world.closed).exists()


def is_settled() -> bool:
    """Nothing more happens by itself."""
    return not (
        Post.objects.filter(status=Post.Status.SCHEDULED).exists()
        or Publication.objects.open().exclude(next_attempt_at=None).exists()
        or Publication.objects.exclude(lease=None).exists()
        or JobRun.objects.active().filter(job="publishing.publish_post").exists()
    )


def open_things() -> str:
    """What has not settled, for a message."""
    rows = Publication.objects.open().select_related("post", "publisher").prefetch_related("attempts")
    runs = JobRun.objects.active()
    return "\n".join(
        [
            f"{row} is {row.state}, next {row.next_attempt_at}, leased until {row.leased_until}: {row.reason}"
            for row in rows[:10]
        ]
        + [
            f"{post} is scheduled for {post.scheduled_at}"
            for post in Post.objects.filter(status="scheduled")[:10]
        ]
        + [f"{run.job} {run.status} attempt {run.attempt} {run.worker} {run.reason}" for run in runs[:10]]
        + [
            f"{count} runs of {job} {status}: {reason}"
            for job, status, reason, count in JobRun.objects.values_list("job", "status", "reason")
            .annotate(count=models.Count("pk"))
            .order_by("-count")[:12]
        ]
    )


def left_to_people(world: World) -> list[str]:
    """Whoever is unconfirmed for good says why; gives those that should not be."""
    wrong = []
    for row in Publication.objects.filter(state=State.UNCONFIRMED).select_related("publisher", "post"):
        kind, settings = publications.opened(row.publisher)
        may_be = not kind.can_find(settings) or row.looks_made >= MOST_LOOKS
        if not (
            may_be and row.reason.endswith(LOOK_YOURSELF) and _is_told("publishing.post_unconfirmed", row)
        ):
            wrong.append(f"{row} ({row.pk}) is left to people: {row.reason}")
    return wrong


def decide(world: World) -> int:
    """A person looks for what is unconfirmed, and says it is there or sends it again; gives how many."""
    rows = list(Publication.objects.filter(state=State.UNCONFIRMED, next_attempt_at=None))
    for row in rows:
        if world.places[row.publisher_id].count(str(row.marker)):
            publications.confirm(row, url="", by=None)
        else:
            publications.send_again(row, by=None)
    world.left_to_people += len(rows)
    return len(rows)


def examine(world: World) -> Findings:
    """Compare each publication with what its server has."""
    found = Findings(met=world.met, left_to_people=world.left_to_people)
    asked = Counter(
        marker
        for server in world.servers
        for request in server.requests
        if (marker := server.marker_of(request))
    )
    for row in Publication.objects.select_related("post", "publisher").prefetch_related("attempts"):
        place, attempts = world.places[row.publisher_id], list(row.attempts.all())
        there = place.count(str(row.marker))
        found.publications += 1
        found.duplicates += max(there - 1, 0)
        found.states[row.state] += 1
        found.looked += sum(attempt.what == PublicationAttempt.What.LOOKED for attempt in attempts)
        sent = sum(attempt.what == PublicationAttempt.What.SENT for attempt in attempts)
        found.sent += sent
        if asked[str(row.marker)] > sent:
            found.unexplained.append(
                f"{row} ({row.pk}): asked {asked[str(row.marker)]} times, sent {sent} times"
            )
        for problem in _problems(world, row, there, attempts):
            history = " ".join(f"{attempt.what}:{attempt.outcome}" for attempt in attempts)
            found.unexplained.append(
                f"{row} ({row.pk}) is {row.state}, there {there} times: {problem}; {history}; {row.reason}"
            )
    found.unexplained += [
        f"{post} is {post.status}, its publications are not"
        for post in Post.objects.all()
        if post.status != posts.following({str(row.state) for row in post.publications.all()})
    ]
    return found


def _problems(
    world: World, row: Publication, there: int, attempts: Sequence[PublicationAttempt]
) -> Iterator[str]:
    if there > 1:
        yield "it is there more than once"
    if not _fits(world, row, there):
        yield "the state does not fit"
    if any(attempt.ended_at is None or not attempt.outcome for attempt in attempts):
        yield "an attempt has no end"
    if not _is_sound(attempts, can_be_found=not isinstance(world.places[row.publisher_id], Blind)):
        yield "it was sent again although it could have been there"


def _fits(world: World, row: Publication, there: int) -> bool:
    """Whether state and reason are what the server's answers must have led to."""
    if row.state == State.PUBLISHED:
        return there == 1 and row.published_at is not None
    if row.state == State.FAILED:
        was_refused = "answered with status 401" in row.reason
        return there == 0 and was_refused and _is_told("publishing.post_failed", row)
    if row.state == State.MISSED:
        is_late = row.reason.startswith("It could not be sent in time.")
        is_closed = row.publisher_id == world.closed.pk
        return there == 0 and is_late and is_closed and _is_told("publishing.post_missed", row)
    return False


def _is_told(kind: str, row: Publication) -> bool:
    return Alert.objects.live().filter(kind=kind, subject_id=str(row.publisher_id)).exists()


_LETTERS = {
    "sent": {"published": "P", "later": "L", "refused": "R", "unknown": "U"},
    "looked": {"found": "F", "absent": "A", "unknown": "N"},
}
#: Sent again only when it was not begun, or was not found twice in a row.
_SOUND = re.compile(r"(L|U[NA]*AA)*(P[NA]*|R|U[NA]*F?|)")


def _is_sound(attempts: Sequence[PublicationAttempt], *, can_be_found: bool) -> bool:
    history = "".join(_LETTERS[attempt.what].get(attempt.outcome, "?") for attempt in attempts)
    return not can_be_found or _SOUND.fullmatch(history) is not None
