"""Making papers complete, and letting the queue `processing` do it."""

import threading
import time

import pytest
from django.db import connection

from jobs.definitions import get_job
from jobs.models import JobRun
from knowledge import completing, spaces, vectors
from knowledge.embedding import EmbedderRefused, EmbedderUnavailable
from knowledge.models import Embedding, KnowledgePolicy, Paper, Passage
from knowledge.tests.nights import new_run
from knowledge.tests.shelf import Letters, registered, shelve

pytestmark = pytest.mark.django_db

JOB = "knowledge.process_papers"


@pytest.fixture
def letters(settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


def process(*papers, run=None):
    return get_job(JOB)(run or new_run(job=JOB), paper_ids=[paper.pk for paper in papers])


def three():
    return [shelve(f"Paper {word}", f"About {word}. It ends.") for word in ("sugar", "salt", "fat")]


def test_what_papers_lack_is_made_and_nothing_else(letters):
    papers = three()
    bare = Paper.objects.create(title="Never indexed", abstract=[{"text": "But it should be."}])
    result = process()
    assert (result.papers, result.indexed, result.passages, result.failed) == (4, 1, 4, 0)
    assert bare.parts.exists()
    letters.asked.clear()
    assert process().passages == 0
    assert process(*papers).papers == 3
    assert letters.asked == []


def test_only_the_papers_that_are_named_are_completed(letters):
    first, *_ = three()
    assert process(first).passages == 1
    assert Embedding.objects.count() == 1


def test_progress_tells_how_many_vectors_are_made(letters, monkeypatch):
    monkeypatch.setattr(completing, "BATCH", 1)
    three()
    run = new_run(job=JOB)
    seen = []

    def answer(texts):
        seen.append(run.progress)
        return letters.count(texts)

    letters.answer = answer
    process(run=run)
    assert [(one.current, one.total) for one in seen] == [(0, 3), (1, 3), (2, 3)]
    assert [one.percent for one in seen] == sorted(one.percent for one in seen)


def test_a_text_that_is_refused_fails_its_paper_alone(letters):
    three()

    def choosy(texts):
        if any("salt" in text for text in texts):
            raise EmbedderRefused("No salt.")
        return letters.count(texts)

    letters.answer = choosy
    run = new_run(job=JOB)
    result = process(run=run)
    assert (result.papers, result.passages, result.failed) == (2, 2, 1)
    salty = Paper.objects.get(title="Paper salt")
    assert result.errors == [{"paper": str(salty.pk), "reason": "No salt."}]
    assert run.failed_units == {f"Paper {salty.pk}": "No salt."}


def test_an_embedder_that_refuses_everything_is_asked_no_further(letters):
    three()
    asked = []

    def closed(texts):
        asked.append(texts)
        raise EmbedderRefused("Your key is not accepted.")

    letters.answer = closed
    with pytest.raises(EmbedderRefused, match="key"):
        process()
    assert len(asked) == 2


def test_an_embedder_that_is_away_is_asked_again_later(letters):
    three()

    def away(texts):
        raise EmbedderUnavailable("Away.")

    letters.answer = away
    with pytest.raises(EmbedderUnavailable):
        process()
    assert get_job(JOB).retry.is_transient(EmbedderUnavailable("Away."))


def test_papers_that_are_gone_are_none_that_failed(letters):
    first, *_ = three()
    Paper.objects.filter(pk=first.pk).delete()
    result = process(first)
    assert (result.papers, result.failed) == (0, 0)


def test_new_vectors_are_of_the_model_that_the_search_asks(letters):
    three()
    process()
    with registered(letters, other := Letters("other", 5)):
        KnowledgePolicy.objects.update(embedder="other")
        shelve("Paper four", "A fourth one.")
        process()
    assert other.asked == []
    assert spaces.missing(spaces.of(letters)) == 0


def test_work_that_no_worker_takes_is_done_by_whoever_waits_for_it(letters):
    ids = [paper.pk for paper in three()]
    run = new_run()
    assert completing.hand_over(run, ids).papers == 3
    left = JobRun.objects.get(job=JOB)
    assert left.parameters == {"paper_ids": ids}
    assert process().passages == 0


def test_nothing_is_handed_over_when_nothing_is_missing(letters):
    ids = [paper.pk for paper in three()]
    process()
    assert completing.hand_over(new_run(), ids).papers == 3
    assert not JobRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_work_that_a_worker_takes_is_waited_for_and_not_done_twice(letters, settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 30
    ids = [paper.pk for paper in three()]
    model = spaces.of(letters)

    def work():
        """What a worker does, slowly enough to be watched."""
        try:
            while not (waiting := JobRun.objects.filter(job=JOB)).exists():
                time.sleep(0.05)
            waiting.update(status="running", started_at=waiting.get().queued_at)
            time.sleep(1)
            vectors.embed(list(Passage.objects.select_related("part")), letters, model)
            waiting.update(status="succeeded", finished_at=waiting.get().queued_at)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    result = completing.hand_over(new_run(), ids)
    worker.join()
    assert (result.papers, result.passages) == (3, 0)
    assert len(letters.asked) == 3
