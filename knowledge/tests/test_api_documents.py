"""Documents over the API: uploaded, followed, described, cancelled, deleted."""

from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jobs.models import JobRun
from jobs.tests.workers import execute
from knowledge.models import Answer, Citation, Document, KnowledgePolicy, Question
from knowledge.tests import pdf_files
from knowledge.tests.api_client import KNOWLEDGE, client_with, get, post, send
from knowledge.tests.pdf_files import pdf
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db(transaction=True)

UPLOAD = f"{KNOWLEDGE}upload/"
DOCUMENTS = f"{KNOWLEDGE}documents/"
ALL = ("add_document", "view_document", "change_document", "delete_document")


@pytest.fixture(autouse=True)
def letters():
    with registered(embedder := Letters()):
        KnowledgePolicy.current()
        KnowledgePolicy.objects.update(embedder="letters")
        yield embedder


@pytest.fixture
def client():
    return client_with(*ALL)


def file(name="aspirin.txt", content=b"Aspirin helps against headache."):
    return SimpleUploadedFile(name, content)


def upload(client, *files, status=202, address=UPLOAD, **details):
    answer = client.post(address, {"files": list(files) or [file()], **details}, format="multipart")
    assert answer.status_code == status, answer.content
    return answer.json()


def uploaded(client, *files, **details):
    """The first document, read."""
    answer = upload(client, *files, **details)
    for task_id in answer["task_ids"]:
        execute(JobRun.objects.get(pk=task_id))
    return answer["documents"][0]["document_id"]


# Uploading


@pytest.mark.parametrize("name", ["upload", "upload-large"])
def test_several_files_are_kept_and_queued(client, name):
    answer = upload(
        client,
        file(),
        file("leaflet.pdf", pdf(["One.", "Two."])),
        address=f"{KNOWLEDGE}{name}/",
        category="Pain",
        tags=["pain", "fever"],
        year=2020,
    )
    first, second = answer["documents"]
    assert (first["filename"], first["status"], first["is_new"], first["extension"]) == (
        "aspirin.txt", "queued", True, ".txt",
    )  # fmt: skip
    assert (second["category"], second["tags"], second["year"], second["source"]) == (
        "Pain", ["pain", "fever"], 2020, "upload",
    )  # fmt: skip
    assert [first["task_id"], second["task_id"]] == answer["task_ids"]
    run = JobRun.objects.get(pk=UUID(answer["task_ids"][0]))
    assert (run.trigger, run.requested_by, run.parameters) == (
        "api", client.user, {"document_id": first["document_id"]},
    )  # fmt: skip


def test_a_file_that_is_here_already_is_said_to_be(client):
    first = upload(client)
    again = upload(client, file("other.txt"), status=200)
    assert again["task_ids"] == []
    assert (again["documents"][0]["is_new"], again["documents"][0]["filename"]) == (False, "aspirin.txt")
    both = upload(client, file(), file("new.txt", b"New."))
    assert [one["is_new"] for one in both["documents"]] == [False, True]
    assert first["documents"][0]["document_id"] == both["documents"][0]["document_id"]


@pytest.mark.parametrize(
    ("bad", "status", "code", "reason"),
    [
        (("a.docx", b"PK"), 415, "unsupported_media_type", "“a.docx” cannot be read: files end with .docx"),
        (("a.txt", b"x" * 1_048_577), 413, "too_large", "“a.txt” is larger than 1 MB."),
        (("a.pdf", b"Hello."), 400, "invalid_input", "“a.pdf” is no PDF, though its name says so."),
        (("a.txt", b""), 400, "invalid_input", "“a.txt” is empty."),
    ],
)
def test_one_bad_file_refuses_all_and_says_which(client, settings, bad, status, code, reason):
    settings.DOCUMENT_MAX_MB = 1
    answer = upload(client, file(), file(*bad), status=status)
    assert answer["code"] == code
    assert reason in (answer["fields"]["file"][0] if "fields" in answer else answer["message"])
    assert not Document.objects.exists()
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "files"),
        ({"files": "no file"}, "files.0"),
        ({"files": [file(), file("b.txt")], "title": "Both"}, "title"),
        ({"files": [file()], "year": "soon"}, "year"),
        ({"files": [file()], "year": 12}, "year"),
        ({"files": [file()], "language": "Klingon!"}, "language"),
        ({"files": [file()], "colour": "red"}, "colour"),
        ({"files": [file(f"{number}.txt") for number in range(21)]}, "files"),
    ],
)
def test_a_form_that_does_not_fit_is_refused_by_field(client, body, field):
    answer = client.post(UPLOAD, body, format="multipart")
    assert answer.status_code == 400
    assert list(answer.json()["fields"]) == [field]


def test_a_request_that_is_too_large_is_refused_before_it_is_read(client, settings):
    settings.DOCUMENT_MAX_MB = settings.DOCUMENT_MAX_FILES = 1
    answer = client.post(UPLOAD, {"files": [file("a.txt", b"x" * 3_000_000)]}, format="multipart")
    assert (answer.status_code, answer.json()["message"]) == (
        413, "The request is larger than all files may be together.",
    )  # fmt: skip


def test_what_is_no_form_is_refused(client):
    assert client.post(UPLOAD, {"files": []}, format="json").status_code == 415
    answer = client.generic("POST", UPLOAD, b"nonsense", content_type="multipart/form-data; boundary=x")
    assert answer.status_code == 400


# Following


def test_an_upload_can_be_followed_to_its_end(client, letters):
    answer = upload(client, file("leaflet.pdf", pdf(["One is here.", "Two is there."], title="A leaflet")))
    pk = answer["documents"][0]["document_id"]
    queued = get(client, f"{KNOWLEDGE}upload-status/{pk}/")
    assert (queued["status"], queued["progress_percent"], queued["current_chunk"], queued["total"]) == (
        "queued", 0, 0, 0,
    )  # fmt: skip
    seen = []

    def watching(texts):
        seen.append(get(client, f"{KNOWLEDGE}pdf/status/{pk}/")["status"])
        return letters.count(texts)

    letters.answer = watching
    execute(JobRun.objects.get(pk=answer["task_ids"][0]))
    assert seen == ["processing"]
    done = get(client, f"{KNOWLEDGE}upload-status/{pk}/")
    assert done == {
        "document_id": pk, "filename": "leaflet.pdf", "status": "completed", "progress_percent": 100.0,
        "current_chunk": 1, "total": 1, "step": "", "error": "", "task_id": answer["task_ids"][0],
        "uploaded_at": done["uploaded_at"],
    }  # fmt: skip
    document = get(client, f"{DOCUMENTS}{pk}/")
    assert {
        "title": "A leaflet", "text_length": 27, "page_count": 2, "chunk_count": 1, "is_indexed": True,
        "indexing_error": "", "status": "completed", "uploaded_by": client.user.username, "source": "upload",
    }.items() <= document.items()  # fmt: skip
    assert len(document["file_hash"]) == 64


def test_progress_comes_from_the_run(client):
    pk = upload(client)["documents"][0]["document_id"]
    Document.objects.update(state="processing")
    JobRun.objects.update(progress=40, progress_current=3, progress_total=8, progress_text="Making vectors")
    found = get(client, f"{KNOWLEDGE}upload-status/{pk}/")
    assert (found["status"], found["progress_percent"], found["current_chunk"], found["total"], found["step"]) == (
        "processing", 40, 3, 8, "Making vectors",
    )  # fmt: skip


def test_a_failed_upload_says_why(client):
    pk = uploaded(client, file("scan.pdf", pdf_files.scan()))
    found = get(client, f"{KNOWLEDGE}upload-status/{pk}/")
    assert (found["status"], found["error"][:22]) == ("failed", "It has no text: a scan")
    assert get(client, f"{DOCUMENTS}{pk}/")["indexing_error"] == found["error"]


def test_lists_and_the_queue(client):
    uploaded(client, file("one.txt", b"One."), category="Pain", tags=["pain"], language="en")
    uploaded(client, file("scan.pdf", pdf_files.scan()))
    upload(client, file("three.txt", b"Three."))
    assert get(client, f"{KNOWLEDGE}queue-status/") == {
        "queued": 1, "processing": 0, "completed": 1, "failed": 1, "total": 3,
    }  # fmt: skip
    statuses = get(client, f"{KNOWLEDGE}upload-status/")["results"]
    assert [one["status"] for one in statuses] == ["queued", "failed", "completed"]
    for query, names in (
        ({"status": "failed"}, ["scan.pdf"]),
        ({"status": ["queued", "completed"]}, ["three.txt", "one.txt"]),
        ({"category": "Pain"}, ["one.txt"]),
        ({"tag": "pain"}, ["one.txt"]),
        ({"language": "en"}, ["one.txt"]),
        ({"q": "SCAN"}, ["scan.pdf"]),
        ({"uploaded_before": "2020-01-01T00:00:00Z"}, []),
    ):
        found = get(client, DOCUMENTS, query)
        assert [one["filename"] for one in found["results"]] == names, query
    get(client, DOCUMENTS, {"status": "lost"}, 400)
    get(client, DOCUMENTS, {"q": "x" * 201}, 400)


def test_lists_cost_the_same_however_many_documents(client):
    def queries(address):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            get(client, address)
        assert 'knowledge_document"."text",' not in str(captured.captured_queries)
        return len(captured)

    upload(client, file("0.txt", b"0"))
    before = queries(DOCUMENTS), queries(f"{KNOWLEDGE}upload-status/")
    for number in range(1, 6):
        upload(client, file(f"{number}.txt", str(number).encode()))
    assert (queries(DOCUMENTS), queries(f"{KNOWLEDGE}upload-status/")) == before


# Afterwards


def test_details_can_be_changed(client):
    pk = uploaded(client)
    changed = send(client, "patch", f"{DOCUMENTS}{pk}/", {"category": "Pain", "tags": ["a"], "year": None})
    assert (changed["category"], changed["tags"], changed["status"]) == ("Pain", ["a"], "completed")
    retitled = send(client, "patch", f"{DOCUMENTS}{pk}/", {"title": "Headaches"})
    assert (retitled["title"], retitled["status"]) == ("Headaches", "queued")
    send(client, "patch", f"{DOCUMENTS}{pk}/", {"title": "Once more"}, 409)
    for body in ({"title": ""}, {"text": "x"}, {"language": "Klingon!"}, {"tags": "no list"}):
        answer = send(client, "patch", f"{DOCUMENTS}{pk}/", body, 400)
        assert set(answer["fields"]) == set(body)


def test_a_document_can_be_read_again(client):
    pk = uploaded(client)
    assert post(client, f"{DOCUMENTS}{pk}/read-again/", status=202)["job"] == "knowledge.process_document"
    assert post(client, f"{DOCUMENTS}{pk}/read-again/", status=409)["message"] == "It is being read already."


def test_reading_can_be_cancelled(client):
    pk = upload(client)["documents"][0]["document_id"]
    cancelled = post(client, f"{KNOWLEDGE}pdf/cancel/{pk}/")
    assert (cancelled["status"], cancelled["error"][:9]) == ("failed", "Cancelled")
    assert post(client, f"{KNOWLEDGE}pdf/cancel/{pk}/", status=409)["message"] == "It is not being read."


def test_a_document_can_be_deleted_unless_an_answer_cites_it(client):
    pk = uploaded(client)
    question = Question.objects.create(text="What helps?")
    answer = Answer.objects.create(question=question, state="answered", writer="extractive")
    Citation.objects.create(answer=answer, number=1, document_id=pk, title="T", quote="Q")
    refused = send(client, "delete", f"{DOCUMENTS}{pk}/", status=409)
    assert refused["message"] == (
        "Kept answers cite it: those to “What helps?”. Delete these questions first."
    )
    question.delete()
    send(client, "delete", f"{DOCUMENTS}{pk}/", status=204)
    get(client, f"{DOCUMENTS}{pk}/", status=404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "documents/{}/"), ("patch", "documents/{}/"), ("delete", "documents/{}/"),
        ("post", "documents/{}/read-again/"), ("get", "upload-status/{}/"), ("get", "pdf/status/{}/"),
        ("post", "pdf/cancel/{}/"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pk", [999_999, 10**25])
def test_an_unknown_document_is_not_found(client, method, path, pk):
    send(client, method, KNOWLEDGE + path.format(pk), status=404) if method != "get" else get(
        client, KNOWLEDGE + path.format(pk), status=404
    )


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("add_document", "post", "upload/"), ("add_document", "post", "upload-large/"),
        ("view_document", "get", "documents/"), ("view_document", "get", "documents/{}/"),
        ("change_document", "patch", "documents/{}/"), ("delete_document", "delete", "documents/{}/"),
        ("change_document", "post", "documents/{}/read-again/"), ("view_document", "get", "upload-status/"),
        ("view_document", "get", "upload-status/{}/"), ("view_document", "get", "pdf/status/{}/"),
        ("change_document", "post", "pdf/cancel/{}/"), ("view_document", "get", "queue-status/"),
    ],
)  # fmt: skip
def test_each_needs_its_own_permission(client, permission, method, path):
    address = KNOWLEDGE + path.format(upload(client)["documents"][0]["document_id"])
    others = client_with(*(name for name in ALL if name != permission))
    answer = getattr(others, method)(address)
    assert (answer.status_code, answer.json()["message"]) == (
        403, f"This needs the permission knowledge.{permission}.",
    )  # fmt: skip
