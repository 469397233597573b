"""Whatever workers, servers, the clock and people do in whatever order: once, or explained."""

from typing import ClassVar

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from jobs.errors import IllegalState
from jobs.models import Alert
from publishing import publications
from publishing.models import Publication, PublicationAttempt, Publisher
from publishing.publications import ABSENCES, LOOK_YOURSELF, State, Turn, Verdict
from publishing.publishers import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
    registry,
)
from publishing.tests.factories import make_publication, make_publisher
from publishing.troubles import POST_FAILED, POST_MISSED, POST_UNCONFIRMED

What, Outcome = PublicationAttempt.What, PublicationAttempt.Outcome

ANSWERS = ["published", "cut", "dropped", "late", "busy", "refused", "bug after", "bug before"]
KIND_OF = {State.FAILED: POST_FAILED, State.MISSED: POST_MISSED, State.UNCONFIRMED: POST_UNCONFIRMED}


class Shelf(PublisherKind[Settings]):
    """A publisher in memory that answers as it is told."""

    name: ClassVar[str] = "shelf"
    label: ClassVar[str] = "Shelf"
    parameters: ClassVar[type[Settings]] = Settings

    def __init__(self, *, can_find: bool) -> None:
        self.copies = 0
        self.answer = "published"
        #: Requests that it is still at work on; it is through with them before anybody looks a second time.
        self.under_way = 0
        self._is_seen = False
        self._can_find = can_find

    def send(self, post: Outgoing, settings: Settings) -> Remote:
        answer = self.answer
        if answer in ("published", "cut", "bug after"):
            self.copies += 1
        if answer == "late":
            self.under_way, self._is_seen = self.under_way + 1, False
        if answer.startswith("bug"):
            raise KeyError(answer)
        if answer in ("cut", "dropped", "late"):
            raise PublishUnknown("No answer.")
        if answer == "busy":
            raise PublishLater("Busy.", status=429, retry_after=1)
        if answer == "refused":
            raise PublishRefused("No.", status=401)
        return Remote(id="1")

    def can_find(self, settings: Settings) -> bool:
        return self._can_find

    def find(self, post: Outgoing, settings: Settings) -> Remote | None:
        if self.answer == "refused":
            raise PublishRefused("Who are you?", status=401)
        if self.answer == "busy":
            raise PublishLater("Busy.")
        if self._is_seen:
            self.finish()
        self._is_seen = True
        return Remote(id="1") if self.copies else None

    def finish(self) -> None:
        self.copies, self.under_way = self.copies + self.under_way, 0

    def test(self, settings: Settings) -> str:
        return ""


class Interleavings(RuleBasedStateMachine):
    """One publication; workers take turns, execute them and write them down at any time, or never."""

    shelf: Shelf
    row: Publication
    #: Turns that are taken; with a verdict those that are executed.
    working: dict[Turn, Verdict | None]

    @initialize(can_find=st.booleans(), answer=st.sampled_from(ANSWERS))
    def begin(self, can_find, answer):
        self.shelf = Shelf(can_find=can_find)
        registry._kinds["shelf"] = self.shelf
        self.row = make_publication(make_publisher("shelf"))
        self.working = {}
        self.take_a_turn(answer)

    def now(self) -> Publication:
        self.row.refresh_from_db()
        return self.row

    @rule(answer=st.sampled_from(ANSWERS))
    def take_a_turn(self, answer):
        """A worker that nothing befalls."""
        self.wait()
        if (turn := self.take()) is not None:
            publications.settle(turn, self.do(turn, answer))
            del self.working[turn]

    @rule()
    def only_take(self):
        self.take()

    def take(self) -> Turn | None:
        before = self.now().state
        taken = publications.take(self.row.pk, run_id=None)
        if not isinstance(taken, Turn):
            return None
        assert before == (State.UNCONFIRMED if taken.is_look else State.WAITING)
        self.working[taken] = None
        return taken

    def do(self, turn: Turn, answer: str) -> Verdict:
        self.shelf.answer = answer
        verdict = publications._look(turn) if turn.is_look else publications._send(turn)
        self.shelf.answer = "published"
        self.working[turn] = verdict
        return verdict

    @rule(answer=st.sampled_from(ANSWERS), which=st.integers(0, 3))
    def execute(self, answer, which):
        """A worker does what it has taken; without its lease it would have no time left for a request."""
        lease = self.now().lease
        idle = [turn for turn, verdict in self.working.items() if verdict is None and turn.lease == lease]
        if idle:
            self.do(idle[which % len(idle)], answer)

    @rule(which=st.integers(0, 3))
    def write_down(self, which):
        done = [(turn, verdict) for turn, verdict in self.working.items() if verdict is not None]
        if done:
            turn, verdict = done[which % len(done)]
            publications.settle(turn, verdict)
            del self.working[turn]

    @rule(which=st.integers(0, 3))
    def die(self, which):
        if self.working:
            del self.working[list(self.working)[which % len(self.working)]]

    @rule()
    def lose_the_lease(self):
        Publication.objects.exclude(lease=None).update(leased_until=timezone.now())

    @rule()
    def wait(self):
        """Until the next attempt is due."""
        Publication.objects.exclude(next_attempt_at=None).update(next_attempt_at=timezone.now())

    @rule()
    def finish_late(self):
        self.shelf.finish()

    @precondition(lambda self: self.row.attempts.count() > 3)
    @rule()
    def be_too_late(self):
        Publication.objects.filter(pk=self.row.pk).update(due_at=timezone.now() - self.row.publisher.lateness)

    @rule(is_enabled=st.booleans())
    def switch(self, is_enabled):
        Publisher.objects.update(is_enabled=is_enabled)

    @rule()
    def a_person_decides(self):
        """One who looks first, and waits for the server."""
        before = self.now()
        is_held = before.leased_until is not None and before.leased_until > timezone.now()
        may = before.state in KIND_OF and not is_held
        self.shelf.finish()
        try:
            if before.state == State.UNCONFIRMED and self.shelf.copies:
                publications.confirm(before, url="", by=None)
            else:
                publications.send_again(before, by=None)
        except IllegalState:
            assert not may
        else:
            assert may

    @invariant()
    def it_is_once_and_explained(self):
        row = self.now()
        self.check_copies(row)
        self.check_end(row)
        self.check_attempts(row)

    def check_copies(self, row):
        """At most one; and what is there is not going to be sent, unless somebody is about to write it down."""
        there = self.shelf.copies + self.shelf.under_way
        assert there <= 1
        assert there == 1 or row.state != State.PUBLISHED
        is_known = any(verdict is not None for verdict in self.working.values())
        assert there == 0 or is_known or row.state not in (State.WAITING, State.FAILED, State.MISSED)

    def check_end(self, row):
        """Every end has a reason, and is told."""
        assert row.reason or row.state not in KIND_OF
        if not row.is_left_to_people:
            assert row.state == State.PUBLISHED or row.next_attempt_at is not None
            return
        assert row.state != State.UNCONFIRMED or row.reason.endswith(LOOK_YOURSELF)
        assert Alert.objects.live().filter(kind=KIND_OF[row.state], subject_id=str(row.publisher_id)).exists()

    def check_attempts(self, row):
        """One is open only while somebody is at it; all others have an outcome."""
        outcomes = [(attempt.ended_at is None, attempt.outcome == "") for attempt in row.attempts.all()]
        assert outcomes.count((True, True)) == (0 if row.lease is None else 1)
        assert set(outcomes) <= {(True, True), (False, False)}

    def teardown(self):
        """All goes well from here, and so it ends: by itself, or with a look of a person."""
        self.switch(is_enabled=True)
        self.working = {}
        for _ in range(3 * ABSENCES + publications.MOST_LOOKS):
            if self.now().state == State.PUBLISHED or self.row.is_left_to_people:
                break
            self.lose_the_lease()
            self.wait()
            publications.carry_out(self.row.pk)
        if self.now().is_left_to_people:
            self.a_person_decides()
            publications.carry_out(self.row.pk)
        assert (self.now().state, self.shelf.copies) == (State.PUBLISHED, 1)
        self.check_attempts(self.row)


@pytest.mark.django_db
def test_any_interleaving_of_workers_servers_and_people_publishes_once(monkeypatch):
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    run_state_machine_as_test(
        Interleavings,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
