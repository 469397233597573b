"""Uploading documents: kept once, found by words and by meaning, explained when they cannot be read."""

import io
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import ledger
from jobs.context import ActiveRun
from jobs.errors import IllegalState, NotFound, RunCancelled, RunSuperseded
from jobs.models import AuditEvent, JobRun
from jobs.tests.workers import execute
from knowledge import documents, processing, spaces, vectors
from knowledge.documents import FileTooLarge, InvalidDocument, UnsupportedFile
from knowledge.embedding import EmbedderRefused, EmbedderUnavailable
from knowledge.models import (
    Answer,
    Citation,
    Document,
    DocumentFile,
    Embedding,
    KnowledgePolicy,
    Part,
    Passage,
    Question,
    SparseSegment,
)
from knowledge.search.engine import Mode, search
from knowledge.tests import pdf_files
from knowledge.tests.pdf_files import pdf
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db(transaction=True)

State = Document.State
ADMIN = JobRun.Trigger.ADMIN
LONG = "\n\n".join(
    f"Section {number}. The word of this section is xylograph{number}, and nothing else." * 4
    for number in range(60)
)


@pytest.fixture(autouse=True)
def letters(policy):
    """An embedder that tests can foresee makes all vectors."""
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def policy(db):
    policy = KnowledgePolicy.current()
    policy.embedder = "letters"
    policy.save()
    return policy


@pytest.fixture
def ada():
    return User.objects.create_user("ada")


def upload(content=b"Aspirin helps against headache.", name="aspirin.txt", **details):
    return documents.receive(name, content, by=None, **details)


def upload_of(name, content, **details):
    return documents.receive(name, content, **details)


def processed(content=b"Aspirin helps against headache.", name="aspirin.txt", **details):
    received = upload(content, name, **details)
    run = execute(received.run)
    received.document.refresh_from_db()
    return received.document, run


def run_of(document):
    run = documents.run_of(document)
    assert run is not None
    return run


def lacking():
    live = spaces.live()
    assert live is not None
    return spaces.missing(live)


def cite(document, text="What helps?"):
    question = Question.objects.create(text=text)
    answer = Answer.objects.create(question=question, state="answered", writer="extractive")
    passage = Passage.objects.filter(part__document=document).first()
    return Citation.objects.create(
        answer=answer, number=1, document=document, passage=passage, title=document.title, quote="It helps."
    )


def found(query, mode=Mode.SPARSE):
    return [hit.part.title for hit in search(query, mode=mode)]


# Receiving


def test_an_upload_is_kept_and_queued(ada):
    received = upload_of(
        "C:\\leaflets\\Aspirin_use.txt",
        b"It helps.",
        category=" Pain  relief ",
        tags=["pain", "pain", " "],
        by=ada,
    )
    document = received.document
    assert (document.title, document.filename, document.state) == (
        "Aspirin use",
        "Aspirin_use.txt",
        State.QUEUED,
    )
    assert (document.category, document.tags, document.size) == ("Pain relief", ["pain"], 9)
    assert (document.media_type, document.uploaded_by, document.run_id) == (
        "text/plain",
        ada,
        received.run.pk,
    )
    assert bytes(document.file.content) == b"It helps."
    assert (received.run.job, received.run.queue, received.run.requested_by) == (
        "knowledge.process_document", "processing", ada,
    )  # fmt: skip
    assert AuditEvent.objects.get(action="added").message == "Uploaded Aspirin_use.txt."


def test_the_same_file_again_is_the_same_document():
    first = upload()
    second = upload(name="another name.txt", title="Another")
    assert (second.document, second.is_new, second.run) == (first.document, False, None)
    assert Document.objects.get().title == "aspirin"
    assert JobRun.objects.count() == 1


def test_the_same_file_again_is_tried_again_when_it_could_not_be_read():
    document, _ = processed(pdf_files.scan(), "scan.pdf")
    assert document.state == State.FAILED
    again = upload(pdf_files.scan(), "scan.pdf")
    assert (again.document, again.is_new, again.document.state) == (document, False, State.QUEUED)
    assert again.run is not None


def test_the_same_file_twice_at_once_is_one_document():
    results, barrier = [], threading.Barrier(4)

    def go():
        try:
            barrier.wait(10)
            results.append(upload(b"Twice at once. " * 1000))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(result.is_new for result in results) == [False, False, False, True]
    assert len({result.document.pk for result in results}) == 1
    assert (Document.objects.count(), DocumentFile.objects.count(), JobRun.objects.count()) == (1, 1, 1)


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("a.txt", b"", InvalidDocument, "“a.txt” is empty"),
        ("a.txt", b"x" * (1024 * 1024 + 1), FileTooLarge, "“a.txt” is larger than 1 MB"),
        ("a.docx", b"PK", UnsupportedFile, "files end with .docx"),
        ("a.pdf", b"Hello.", InvalidDocument, "is no PDF, though its name says so"),
        (" . ", b"Hello.", InvalidDocument, "needs a name"),
        ("/", b"Hello.", InvalidDocument, "needs a name"),
        ("n" * 300 + ".txt", b"Hello.", InvalidDocument, "at most 300 characters"),
    ],
)
def test_a_file_that_cannot_be_a_document_is_refused_and_nothing_is_kept(
    name, content, error, reason, settings
):
    settings.DOCUMENT_MAX_MB = 1
    with pytest.raises(error, match=reason) as caught:
        upload(content, name)
    assert list(caught.value.fields) == ["file"]
    with pytest.raises(error, match=reason):
        documents.receive(name, io.BytesIO(content), by=None)
    assert not Document.objects.exists()
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    ("details", "field"),
    [
        ({"year": 99}, "year"),
        ({"language": "Klingon!"}, "language"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
        ({"category": "x" * 101}, "category"),
    ],
)
def test_details_that_do_not_fit_are_refused_by_field(details, field):
    with pytest.raises(InvalidDocument) as caught:
        upload(**details)
    assert list(caught.value.fields) == [field]
    assert not Document.objects.exists()


@given(name=st.text(max_size=40), content=st.binary(max_size=40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_and_content_is_kept_or_refused(name, content):
    try:
        received = upload(content, name)
    except InvalidDocument as error:
        assert all(text.endswith(".") for texts in error.fields.values() for text in texts)
    else:
        received.document.refresh_from_db()
        assert "/" not in received.document.filename
        assert received.document.title


# Reading


def test_a_document_is_found_by_words_and_by_meaning(letters):
    document, run = processed(LONG.encode(), "manual.txt", title="Manual")
    passages = Passage.objects.filter(part__document=document)
    assert (document.state, document.problem, document.text) == (State.READY, "", LONG)
    assert document.indexed_at is not None
    assert run.status == JobRun.Status.SUCCEEDED
    assert run.result == {
        "document_id": document.pk, "title": "Manual", "pages": 0, "characters": len(LONG),
        "passages": passages.count(), "embedded": passages.count(),
    }  # fmt: skip
    assert lacking() == 0
    (hit,) = search("xylograph7", mode=Mode.SPARSE)
    assert "xylograph7" in hit.part.text
    assert set(found("xylograph7", Mode.DENSE)) == {"Manual"}


def test_title_language_and_pages_come_from_the_file_unless_people_said_them():
    content = pdf(["One.", "Two."], title="Use of aspirin", language="en-GB")
    document, _ = processed(content, "x.pdf")
    assert (document.title, document.language, document.pages) == ("Use of aspirin", "en", [0, 6])
    other, _ = processed(
        pdf(["Three."], title="Use of aspirin", language="en"), "y.pdf", title="Ours", language="de"
    )
    assert (other.title, other.language) == ("Ours", "de")


def test_a_file_that_cannot_be_read_fails_with_the_reason_and_is_not_tried_again():
    document, run = processed(pdf_files.scan(3), "scan.pdf")
    assert (document.state, run.status, run.attempt) == (State.FAILED, JobRun.Status.FAILED, 1)
    assert document.problem == run.reason
    assert document.problem.startswith("It has no text: a scan, its 3 pages are pictures.")
    assert run.traceback == ""
    assert not Part.objects.exists()


def test_an_embedder_that_is_away_is_waited_for(letters):
    def away(texts):
        raise EmbedderUnavailable("No connection.")

    letters.answer = away
    received = upload(LONG.encode())
    run = execute(received.run)
    document = Document.objects.get()
    assert (run.status, document.state) == (JobRun.Status.RETRYING, State.QUEUED)
    assert document.problem == "It is tried again: No connection."
    assert found("xylograph7") == ["aspirin"]

    letters.answer = letters.count
    assert processing.process(active(run, 2), document.pk).embedded == Passage.objects.count()
    document.refresh_from_db()
    assert (document.state, document.problem) == (State.READY, "")


def test_after_the_last_attempt_the_document_has_failed(letters):
    def away(texts):
        raise EmbedderUnavailable("No connection.")

    letters.answer = away
    received = upload()
    with pytest.raises(EmbedderUnavailable):
        processing.process(active(received.run, received.run.max_attempts), received.document.pk)
    assert Document.objects.values_list("state", "problem").get() == (State.FAILED, "No connection.")


def test_an_embedder_that_refuses_fails_the_document(letters):
    def refuse(texts):
        raise EmbedderRefused("The key is wrong.")

    letters.answer = refuse
    document, run = processed()
    assert (document.state, document.problem) == (State.FAILED, "The key is wrong.")
    assert run.status == JobRun.Status.FAILED


def active(run, attempt=1):
    return ActiveRun(run.pk, attempt, steps=processing.STEPS)


class Killed(BaseException):
    """Nothing catches it, as nothing sees a SIGKILL."""


def test_killed_anywhere_it_goes_on_and_makes_nothing_twice(letters, monkeypatch):
    monkeypatch.setattr(processing, "BATCH", 8)
    received = upload(LONG.encode(), title="Manual")
    document = received.document
    batches = []

    def dying(texts):
        batches.append(len(texts))
        if len(batches) % 2:
            raise Killed
        return letters.count(texts)

    letters.answer = dying
    for attempt in range(1, 30):
        try:
            processing.process(active(received.run, attempt), document.pk)
            break
        except Killed:
            document.refresh_from_db()
            assert document.state == State.PROCESSING
    passages = Passage.objects.filter(part__document=document)
    assert passages.count() == Embedding.objects.count() > 30
    assert len(letters.asked) == passages.count() + sum(batches[::2])
    assert SparseSegment.objects.get().size == Part.objects.count()
    document.refresh_from_db()
    assert document.state == State.READY

    undisturbed = set(passages.values_list("text", "start", "end"))
    document.delete()
    letters.answer = letters.count
    document, _ = processed(LONG.encode(), title="Manual")
    assert set(Passage.objects.values_list("text", "start", "end")) == undisturbed


def test_progress_is_told_of_pages_and_passages_and_never_goes_back(letters, monkeypatch):
    monkeypatch.setattr(processing, "BATCH", 2)
    received = upload(pdf([f"Page {number} has some text. " * 20 for number in range(4)]), "x.pdf")
    run = active(received.run)
    seen = []
    report = run.report

    def watched(*args):
        report(*args)
        seen.append((run.progress.percent, run.progress.current, run.progress.total, run.progress.text))

    run.report = watched
    processing.process(run, received.document.pk)
    assert [percent for percent, *_ in seen] == sorted(percent for percent, *_ in seen)
    assert {total for _, _, total, text in seen if text.startswith("Reading page")} == {4}
    passages = Passage.objects.count()
    assert seen[-1] == (100, passages, passages, "Making vectors")


def test_a_superseded_attempt_says_nothing_about_the_document():
    received = upload()
    run = active(received.run)
    run.stop(RunSuperseded)
    with pytest.raises(RunSuperseded):
        processing.process(run, received.document.pk)
    assert Document.objects.get().state == State.PROCESSING


# Cancelling


def test_cancelling_before_it_began_fails_the_document(ada):
    received = upload()
    run = documents.cancel(received.document, by=ada)
    assert run.status == JobRun.Status.CANCELLED
    assert Document.objects.values_list("state", "problem").get() == (
        State.FAILED, "Cancelled by ada before it started.",
    )  # fmt: skip


def test_cancelling_in_the_middle_ends_the_reading():
    received = upload(pdf_files.busy_page(), "busy.pdf")
    run = active(received.run)
    timer = threading.Timer(0.5, run.stop, args=(RunCancelled,))
    timer.start()
    with pytest.raises(RunCancelled):
        processing.process(run, received.document.pk)
    assert Document.objects.values_list("state", "problem").get() == (
        State.FAILED,
        "Reading it was cancelled.",
    )


def test_what_is_not_being_read_cannot_be_cancelled():
    document, _ = processed()
    with pytest.raises(IllegalState, match="It is not being read"):
        documents.cancel(document, by=None)


def test_documents_whose_run_ended_without_a_word_are_settled():
    gone, cancelled, waiting, ready = upload(b"a"), upload(b"b"), upload(b"c"), processed(b"d")[0]
    JobRun.objects.filter(pk=gone.run.pk).delete()
    ledger.cancel(cancelled.run.pk, by=None)
    assert documents.settle() == 2
    problems = dict(Document.objects.values_list("pk", "problem"))
    assert problems == {
        gone.document.pk: "The run that was to read it is gone.",
        cancelled.document.pk: "Cancelled by the command line before it started.",
        waiting.document.pk: "",
        ready.pk: "",
    }
    assert documents.settle() == 0


# Afterwards


def test_reading_again_changes_nothing_when_nothing_has_changed(letters):
    document, _ = processed(LONG.encode())
    passages = set(Passage.objects.values_list("pk", flat=True))
    letters.asked.clear()
    run = execute(documents.read_again(document, by=None, trigger=ADMIN))
    assert run.result is not None and run.result["embedded"] == 0
    assert letters.asked == []
    assert set(Passage.objects.values_list("pk", flat=True)) == passages


def test_what_is_being_read_cannot_be_read_again():
    received = upload()
    with pytest.raises(IllegalState, match="It is being read already"):
        documents.read_again(received.document, by=None, trigger=ADMIN)


def test_a_document_without_its_file_cannot_be_read_again():
    document, _ = processed()
    DocumentFile.objects.all().delete()
    with pytest.raises(IllegalState, match="Its file is not here"):
        documents.read_again(document, by=None, trigger=ADMIN)


def test_another_title_makes_passages_anew(letters, ada):
    document, _ = processed(title="Pain")
    documents.change(document, {"title": "Fever", "tags": ["heat"]}, by=ada, trigger=ADMIN)
    document.refresh_from_db()
    assert (document.title, document.tags, document.state) == ("Fever", ["heat"], State.QUEUED)
    assert found("headache") == ["Pain"]
    execute(run_of(document))
    assert (found("headache"), found("pain")) == (["Fever"], [])
    assert lacking() == 0


def test_other_details_make_nothing_anew():
    document, _ = processed()
    documents.change(document, {"category": "Pain", "year": 2020}, by=None, trigger=ADMIN)
    document.refresh_from_db()
    assert (document.category, document.year, document.state) == ("Pain", 2020, State.READY)


def test_a_title_cannot_be_changed_while_it_is_read():
    document = upload().document
    with pytest.raises(IllegalState, match="change its title when that is done"):
        documents.change(document, {"title": "Fever"}, by=None, trigger=ADMIN)
    documents.change(document, {"description": "About pain."}, by=None, trigger=ADMIN)


@pytest.mark.parametrize("changes", [{"title": ""}, {"text": "x"}, {"state": "ready"}, {"year": 0}])
def test_changes_that_do_not_fit_are_refused(changes):
    document, _ = processed()
    with pytest.raises(InvalidDocument) as caught:
        documents.change(document, changes, by=None, trigger=ADMIN)
    assert list(caught.value.fields) == list(changes)


def test_a_deleted_document_is_in_neither_index(letters, ada):
    processed(b"Ibuprofen helps against fever.", "ibuprofen.txt")
    document, _ = processed(b"Aspirin helps against headache.")
    documents.delete(document, by=ada)
    assert found("headache") == []
    assert set(found("aspirin helps against headache", Mode.DENSE)) == {"ibuprofen"}
    assert not Passage.objects.filter(part__document=document.pk).exists()
    assert (Embedding.objects.count(), DocumentFile.objects.count()) == (1, 1)
    with pytest.raises(NotFound):
        documents.delete(document, by=ada)


def test_deleting_what_is_being_read_ends_its_run():
    received = upload()
    documents.delete(received.document, by=None)
    received.run.refresh_from_db()
    assert received.run.status == JobRun.Status.CANCELLED


def test_a_document_that_goes_while_it_is_read_leaves_nothing_behind(letters):
    received = upload(LONG.encode())

    def deleting(texts):
        Document.objects.all().delete()
        return letters.count(texts)

    letters.answer = deleting
    execute(received.run)
    assert not Part.objects.exists()
    assert not Embedding.objects.exists()


def test_a_cited_document_cannot_be_deleted_and_says_what_cites_it():
    document, _ = processed()
    for number in range(5):
        cite(document, f"Question {number}?")
    with pytest.raises(IllegalState, match=r"“Question 4\?”, “Question 3\?”, “Question 2\?” and 2 others"):
        documents.delete(document, by=None)
    assert found("headache") == ["aspirin"]
    Question.objects.all().delete()
    documents.delete(document, by=None)
    assert not Document.objects.exists()


def test_a_citation_outlives_the_passages_it_was_read_in(letters):
    document, _ = processed(LONG.encode(), title="Pain")
    citation = cite(document)
    document = documents.change(document, {"title": "Fever"}, by=None, trigger=ADMIN)
    execute(run_of(document))
    citation.refresh_from_db()
    assert (citation.passage, citation.document, citation.quote) == (None, document, "It helps.")


def test_vectors_are_made_in_the_space_that_the_search_asks(letters):
    with registered(other := Letters("other", 13)):
        vectors_of_other = list(vectors.embed_missing(other))
        assert vectors_of_other == []
        processed()
        assert (letters.asked, len(other.asked)) == ([], 1)
