"""Nights that are broken off anywhere, and go on: at the end everything is as if nothing had happened.

The long form, with real workers that are killed, is `tests/chaos/test_knowledge.py`.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from uuid import uuid4

import pytest
from django.db import connection, transaction

from jobs.context import ActiveRun
from jobs.errors import RunCancelled, RunSuperseded
from knowledge import completing, rates
from knowledge.models import Embedding, Harvest, KnowledgePolicy, Paper, Topic
from knowledge.tests import snapshots
from knowledge.tests.nights import fill, new_run, set_up, update
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db

KILLS = 10


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@pytest.fixture
def letters(settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def night(literature, ncbi, arxiv, letters):
    fill(literature, per_topic=2)
    set_up("pubmed", "arxiv")
    return literature


@contextmanager
def counting() -> Iterator[list[int]]:
    """How many statements the database gets."""
    count = [0]

    def counted(execute, *arguments):
        count[0] += 1
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        yield count


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """End the block before its statement of that number, as if the process had been killed; the server rolls back."""
    left = [number]

    def counted(execute, *arguments):
        left[0] -= 1
        if left[0] == -1:
            raise Killed
        return execute(*arguments)

    with connection.execute_wrapper(counted):
        yield


def undisturbed():
    """What a night leaves behind that nothing befalls, and how many statements it takes; nothing of it stays."""
    before = transaction.savepoint()
    with counting() as count:
        update()
    found = snapshots.whole()
    transaction.savepoint_rollback(before)
    return found, count[0]


def expect_equal(found, expected):
    """Part by part, so that a difference can be read."""
    for name, part in expected.items():
        assert found[name] == part, name


@pytest.mark.parametrize("seed", range(2))
def test_a_night_that_is_killed_ten_times_ends_as_one_that_is_not(night, seed, monkeypatch):
    # Who died while it asked arXiv keeps the others waiting for so long.
    monkeypatch.setattr(rates, "LEASE_SECONDS", 0.2)
    expected, statements = undisturbed()
    assert len(expected["papers"]) == 16
    chance = random.Random(seed)
    run_id, kills, soon = uuid4(), 0, statements * 3 // (2 * KILLS)
    for attempt in range(1, 100):
        try:
            with killed_at(chance.randrange(soon)) if kills < KILLS else nullcontext():
                result = update(new_run(attempt=attempt, run_id=run_id))
        except Killed:
            kills += 1
            continue
        if kills == KILLS:
            break
        soon = 20  # it is done; even so it may be begun again, and killed again
    assert kills == KILLS
    assert result.papers_indexed == 16
    expect_equal(snapshots.whole(), expected)


@pytest.mark.parametrize("place", range(0, 12, 3))
def test_an_embedder_that_dies_in_the_middle_leaves_no_vector_of_another_text(
    night, letters, place, monkeypatch
):
    monkeypatch.setattr(completing, "BATCH", 3)
    expected, _ = undisturbed()
    asked = [0]

    def dying(texts):
        asked[0] += 1
        if asked[0] == place + 1:
            raise Killed
        return letters.count(texts)

    letters.answer = dying
    run = new_run()
    with pytest.raises(Killed):
        update(run)
    made = set(Embedding.objects.values_list("pk", flat=True))
    assert len(made) == 3 * place
    update(new_run(attempt=2, run_id=run.id))
    assert made <= set(Embedding.objects.values_list("pk", flat=True))
    expect_equal(snapshots.whole(), expected)


def test_a_cancelled_night_stops_soon_and_keeps_what_it_has(night):
    run = new_run()
    seen = []

    class Watched(ActiveRun):
        def report(self, *arguments):
            super().report(*arguments)
            seen.append(arguments)
            if Paper.objects.exists():
                self.stop(RunCancelled)

    run.__class__ = Watched
    with pytest.raises(RunCancelled):
        update(run)
    assert 0 < Paper.objects.count() < 16
    assert Harvest.objects.filter(state="open").exists()
    assert update(new_run()).papers_found > 0
    assert Paper.objects.count() == 16


def test_progress_never_goes_back_not_even_in_another_attempt(night):
    run = new_run()
    percents = []

    class Watched(ActiveRun):
        def report(self, *arguments):
            super().report(*arguments)
            percents.append(self.progress.percent)

    run.__class__ = Watched
    update(run)
    assert percents == sorted(percents)
    assert percents[-1] > 90
    assert len(set(percents)) > 10


def test_an_attempt_that_was_taken_for_dead_writes_nothing_more(night):
    """The first attempt has only slept with a batch in its hand: meanwhile the second has done all the work."""
    run = new_run()
    calls = []

    class Sleepy(ActiveRun):
        def check(self):
            calls.append(True)
            if len(calls) == 6:
                update(new_run(attempt=2, run_id=run.id))

    run.__class__ = Sleepy
    with pytest.raises(RunSuperseded):
        update(run)
    assert not Harvest.objects.exclude(state="done").exists()
    assert Paper.objects.count() == 16


def test_a_topic_that_is_deleted_in_the_middle_takes_its_harvests_along(night):
    run = new_run()

    class Watched(ActiveRun):
        def check(self):
            if Paper.objects.exists():
                Topic.objects.filter(name="hypertension").delete()

    run.__class__ = Watched
    result = update(run)
    assert result.topics_searched == 7
    assert result.errors == []
    assert not Harvest.objects.exclude(state="done").exists()
