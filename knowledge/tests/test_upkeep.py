"""Cleaning, changing the model, the heartbeat."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.definitions import get_job
from jobs.errors import IllegalState, InvalidParameters
from jobs.models import JobRun
from jobs.tests.workers import execute
from knowledge import cleanup, documents, reembedding, spaces, tasks
from knowledge.embedding import EmbedderRefused, EmbedderUnavailable
from knowledge.models import (
    Answer,
    Citation,
    Document,
    Embedding,
    EmbeddingModel,
    Finding,
    Harvest,
    JudgedQuery,
    KnowledgePolicy,
    Outcome,
    Paper,
    Passage,
    Question,
    Source,
    SparseSegment,
    Topic,
)
from knowledge.search.engine import Mode, search
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db(transaction=True)

State = EmbeddingModel.State
Status = JobRun.Status


@pytest.fixture(autouse=True)
def letters():
    with registered(embedder := Letters()):
        KnowledgePolicy.current()
        policy(embedder="letters", keep_documents_days=90, keep_papers_days=30, keep_outcomes_days=10)
        yield embedder


@pytest.fixture
def other():
    with registered(embedder := Letters("other", 13)):
        yield embedder


def live():
    return spaces.live()


def upload():
    return documents.receive("a.txt", b"Text.", by=None)


def active(run, attempt):
    return ActiveRun(run.pk, attempt)


def policy(**fields):
    KnowledgePolicy.objects.update(**fields)


def ago(days):
    return timezone.now() - timedelta(days=days)


def make_document(name, days, **fields):
    document = documents.receive(f"{name}.txt", f"{name} says something.".encode(), by=None).document
    Document.objects.filter(pk=document.pk).update(**{"state": "ready", "created_at": ago(days), **fields})
    return document


def make_paper(title, days, topic=None):
    paper = shelve(title, f"{title} says something.")
    Paper.objects.filter(pk=paper.pk).update(fetched_at=ago(days))
    if topic is not None:
        Finding.objects.create(paper=paper, topic=topic)
    return paper


def cite(**what):
    question = Question.objects.create(text="Why?")
    answer = Answer.objects.create(question=question, state="answered", writer="extractive")
    Citation.objects.create(answer=answer, number=1, title="Title", quote="Quote.", **what)


def run_job(name, **parameters):
    return execute(get_job(name).enqueue(**parameters))


def clean(**parameters):
    run = run_job("knowledge.cleanup_documents", **parameters)
    assert run.status == Status.SUCCEEDED, run.error_message
    return run.result


# Cleaning


def make_world():
    """Of each kind something old, something new, something old that is cited or belongs somewhere."""
    topic = Topic.objects.create(name="Pain")
    source = Source.objects.create(name="PubMed", connector="pubmed")
    harvest = Harvest.objects.create(run_id="0" * 32, topic=topic, source=source, query={})
    for name, days in (("old", 91), ("older", 400), ("new", 89), ("cited", 400)):
        make_document(f"{name} document", days)
        make_paper(f"{name} paper", days - 60)
        Outcome.objects.create(harvest=harvest, source_id_there=name, result="new", at=ago(days - 80))
    make_document("waiting document", 400, state="queued")
    make_paper("found paper", 400, topic)
    judged = make_paper("judged paper", 400)
    JudgedQuery.objects.create(text="pain").judgements.create(paper=judged)
    cite(document=Document.objects.get(title="cited document"))
    cite(paper=Paper.objects.get(title="cited paper"))


def what_is_there():
    return (
        set(Document.objects.values_list("title", flat=True)),
        set(Paper.objects.values_list("title", flat=True)),
        set(Outcome.objects.values_list("source_id_there", flat=True)),
    )


def test_exactly_what_is_old_and_in_nobodys_way_goes():
    make_world()
    result = clean()
    assert what_is_there() == (
        {"new document", "cited document", "waiting document"},
        {"new paper", "cited paper", "found paper", "judged paper"},
        {"new"},
    )
    counts = {
        kind: (result[kind]["deleted"], result[kind]["cited"]) for kind in ("documents", "papers", "outcomes")
    }
    assert counts == {"documents": (2, 1), "papers": (2, 1), "outcomes": (3, 0)}
    assert result["documents"]["names"] == [
        f"old document.txt ({ago(91):%Y-%m-%d})", f"older document.txt ({ago(400):%Y-%m-%d})",
    ]  # fmt: skip
    assert clean()["documents"]["deleted"] == 0


def test_a_dry_run_says_the_same_and_deletes_nothing():
    make_world()
    before = what_is_there()
    tried = clean(dry_run=True)
    assert what_is_there() == before
    done = clean()
    assert tried["dry_run"] is True
    for kind in ("documents", "papers", "outcomes"):
        for what in ("deleted", "cited", "names"):
            assert tried[kind][what] == done[kind][what]


def test_what_goes_is_in_no_index(letters):
    make_world()
    embed_all(letters)
    clean()
    for mode in Mode:
        assert {hit.part.title for hit in search("paper says something", mode=mode)} == {
            "new paper", "cited paper", "found paper", "judged paper",
        }  # fmt: skip
    assert Embedding.objects.count() == Passage.objects.count() == 4


def test_days_are_for_documents_instead_of_the_policy():
    make_world()
    result = clean(days=200)
    assert result["documents"]["names"] == [f"older document.txt ({ago(400):%Y-%m-%d})"]
    assert result["papers"]["deleted"] == 2


def test_without_an_age_nothing_goes_for_it():
    policy(keep_documents_days=None, keep_papers_days=None)
    make_world()
    result = clean()
    assert (result["documents"]["deleted"], result["papers"]["deleted"], result["outcomes"]["deleted"]) == (
        0,
        0,
        3,
    )
    assert clean(days=200)["documents"]["deleted"] == 1


@pytest.mark.parametrize("days", [0, -1, 10**9, "soon"])
def test_days_that_are_none_are_refused(days):
    with pytest.raises(InvalidParameters):
        get_job("knowledge.cleanup_documents").enqueue(days=days)


def test_it_deletes_in_batches_and_a_killed_run_is_gone_on_with(monkeypatch):
    monkeypatch.setattr(cleanup, "BATCH", 2)
    for number in range(7):
        make_document(f"number {number}", 100)
    run = active(JobRun.objects.first(), 1)
    report, reports = run.report, []

    class Killed(BaseException):
        pass

    def dying(*args):
        report(*args)
        reports.append(args[:2])
        if len(reports) == 2:
            raise Killed

    run.report = dying
    with pytest.raises(Killed):
        tasks.cleanup_documents(run)
    assert Document.objects.count() == 3
    assert clean()["documents"]["deleted"] == 3
    assert reports == [(2, 7), (4, 7)]


def test_the_word_index_forgets_what_is_gone():
    for number in range(12):
        make_paper(f"paper {number}", 100)
    make_paper("one more", 1)
    assert clean()["index_rebuilt"] is True
    assert SparseSegment.objects.get().size == 1
    assert [hit.part.title for hit in search("says", mode=Mode.SPARSE)] == ["one more"]
    assert clean()["index_rebuilt"] is False


# Another model


def names_of(query):
    return [hit.part.title for hit in search(query, mode=Mode.DENSE, limit=1)]


def fill(letters, count=5):
    for number in range(count):
        letter = chr(97 + number)
        shelve(letter * 3, f"{letter * 20}.")
    embed_all(letters)


def test_the_search_asks_the_old_model_until_the_new_one_is_complete(letters, other):
    fill(letters)
    asked = []

    def watching(texts):
        if len(texts) > 1:
            asked.append((live().name, names_of("bbbb")))
        return other.count(texts)

    other.answer = watching
    run = run_job("knowledge.reembed", embedder="other")
    assert run.status == Status.SUCCEEDED, run.error_message
    assert asked == [("letters:26", ["bbb"])]
    assert run.result == {
        "model": "other:13", "dimension": 13, "passages": 5, "embedded": 5, "is_live": True, "dropped": [],
    }  # fmt: skip
    assert (live().name, names_of("cccc")) == ("other:13", ["ccc"])
    assert KnowledgePolicy.current().embedder == "other"
    assert EmbeddingModel.objects.get(name="letters:26").state == State.RETIRED


def test_killed_it_goes_on_and_makes_nothing_twice(letters, other, monkeypatch):
    fill(letters, 7)
    monkeypatch.setattr("knowledge.vectors.embed_missing.__kwdefaults__", {"batch": 2})
    calls = []

    class Killed(BaseException):
        pass

    def dying(texts):
        calls.append(len(texts))
        if len(calls) == 3:
            raise Killed
        return other.count(texts)

    other.answer = dying
    waiting = get_job("knowledge.reembed").enqueue(embedder="other")
    with pytest.raises(Killed):
        tasks.reembed(ActiveRun(waiting.pk, 1), embedder="other")
    assert (live().name, Embedding.objects.filter(model__name="other:13").count()) == ("letters:26", 4)
    result = tasks.reembed(ActiveRun(waiting.pk, 2), embedder="other")
    assert (result.embedded, result.is_live, live().name) == (3, True, "other:13")


def test_passages_that_come_in_meanwhile_are_embedded_too(letters, other):
    fill(letters)
    come = iter(["xxx", "yyy"])

    def adding(texts):
        if title := next(come, None):
            shelve(title, f"{title * 5}.")
        return other.count(texts)

    other.answer = adding
    run = run_job("knowledge.reembed", embedder="other")
    assert (run.result["embedded"], run.result["passages"], run.result["is_live"]) == (7, 7, True)


def test_without_going_live_the_search_stays_with_the_old_one(letters, other):
    fill(letters)
    run = run_job("knowledge.reembed", embedder="other", go_live=False)
    assert (run.result["is_live"], run.result["embedded"]) == (False, 5)
    assert live().name == "letters:26"
    reembedding.go_live(EmbeddingModel.objects.get(name="other:13"), by=None)
    assert live().name == "other:13"


def test_retired_models_are_dropped_when_asked_for(letters, other):
    fill(letters)
    run = run_job("knowledge.reembed", embedder="other", drop_retired=True)
    assert run.result["dropped"] == ["letters:26"]
    assert list(EmbeddingModel.objects.values_list("name", flat=True)) == ["other:13"]
    assert Embedding.objects.count() == 5


def test_an_embedder_that_is_not_there_or_not_set_up_is_refused(letters, settings):
    settings.EMBEDDING_BASE_URL = ""
    with pytest.raises(InvalidParameters, match="There is no embedder of that name; known: "):
        get_job("knowledge.reembed").enqueue(embedder="nothing")
    with pytest.raises(EmbedderRefused):
        reembedding.start("openai", by=None, trigger=JobRun.Trigger.ADMIN)
    run = run_job("knowledge.reembed", embedder="openai")
    assert (run.status, run.traceback) == (Status.FAILED, "")


def test_an_incomplete_model_cannot_go_live_and_the_live_one_not_be_dropped(letters, other):
    fill(letters)
    ada = User.objects.create_user("ada")
    building = spaces.of(other)
    with pytest.raises(IllegalState, match="5 passages have no vector"):
        reembedding.go_live(building, by=ada)
    with pytest.raises(IllegalState, match="let another model go live first"):
        reembedding.drop(live(), by=ada)
    reembedding.drop(building, by=ada)
    assert list(EmbeddingModel.objects.values_list("name", flat=True)) == ["letters:26"]


# The heartbeat


def beat():
    return run_job("knowledge.heartbeat")


def test_a_working_installation_is_alive(letters):
    fill(letters)
    Source.objects.create(name="arXiv", connector="arxiv", problem="It is down.")
    Source.objects.create(name="PubMed", connector="pubmed")
    run = beat()
    assert run.status == Status.SUCCEEDED, run.error_message
    assert run.result["status"] == "alive"
    assert run.result["timestamp"].endswith("+00:00")
    assert set(run.result["checks"]) == {"database", "word index", "vector index", "embedder", "uploads"}
    assert run.result["sources"] == [{"source": "arXiv", "problem": "It is down."}]


def test_an_empty_installation_is_alive():
    assert beat().status == Status.SUCCEEDED


def broken_word_index(letters):
    SparseSegment.objects.all().delete()


def broken_vector_index(letters):
    spaces.drop_index(live())


def no_live_model(letters):
    EmbeddingModel.objects.all().delete()


def embedder_away(letters):
    def away(texts):
        raise EmbedderUnavailable("No connection.")

    letters.answer = away


def embedder_of_another_shape(letters):
    letters.answer = lambda texts: letters.count(texts)[:, :5]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (broken_word_index, "word index: It is empty, although there are passages."),
        (broken_vector_index, "vector index: The index of letters:26 is not there."),
        (no_live_model, "vector index: There are passages and no model that the search asks."),
        (embedder_away, "embedder: No connection."),
        (embedder_of_another_shape, "embedder: A vector of letters:26 has the shape (1, 5)."),
    ],
)
def test_what_does_not_work_fails_the_heartbeat_and_is_named(broken, reason, letters):
    fill(letters)
    broken(letters)
    run = beat()
    assert (run.status, run.reason, run.traceback) == (Status.FAILED, reason, "")


def test_abandoned_uploads_are_given_up():
    received = upload()
    JobRun.objects.filter(pk=received.run.pk).delete()
    assert beat().result["checks"]["uploads"] == "0 wait; 1 were given up"
    assert Document.objects.get().state == "failed"
