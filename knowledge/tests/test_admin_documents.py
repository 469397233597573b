"""Documents and models in the admin: uploaded, followed, read, cleaned; each by who may."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from jobs.models import JobRun
from jobs.tests.workers import execute
from knowledge import documents, spaces
from knowledge.models import (
    Answer,
    Citation,
    Document,
    EmbeddingModel,
    KnowledgePolicy,
    Passage,
    Question,
)
from knowledge.tests import pdf_files
from knowledge.tests.pdf_files import pdf
from knowledge.tests.shelf import Letters, embed_all, registered, shelve

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:knowledge_document_changelist")
ADD = reverse("admin:knowledge_document_add")
CLEANUP = reverse("admin:knowledge_document_cleanup")
MODELS = reverse("admin:knowledge_embeddingmodel_changelist")
REEMBED = reverse("admin:knowledge_embeddingmodel_reembed")


@pytest.fixture(autouse=True)
def letters():
    with registered(embedder := Letters()):
        KnowledgePolicy.current()
        KnowledgePolicy.objects.update(embedder="letters")
        yield embedder


def signed_in(*permissions, is_superuser=False):
    user = User.objects.create_user(f"staff-{User.objects.count()}", is_staff=True, is_superuser=is_superuser)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label="knowledge", codename__in=permissions)
    )
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def client():
    return signed_in(is_superuser=True)


def received(content=b"Aspirin helps.", name="aspirin.txt", **details):
    return documents.receive(name, content, by=None, **details)


def ready(content=b"Aspirin helps.", name="aspirin.txt", **details):
    one = received(content, name, **details)
    execute(one.run)
    one.document.refresh_from_db()
    return one.document


def result_of(run):
    result = execute(run).result
    assert result is not None
    return result


def page(document, name="change"):
    return reverse(f"admin:knowledge_document_{name}", args=[document.pk])


def said(answer):
    return [str(message) for message in answer.context["messages"]]


def upload(client, *files, **details):
    return client.post(ADD, {"file": [SimpleUploadedFile(*file) for file in files], **details}, follow=True)


def cite(document):
    question = Question.objects.create(text="What helps?")
    answer = Answer.objects.create(question=question, state="answered", writer="extractive")
    Citation.objects.create(answer=answer, number=1, document=document, title="T", quote="Q")


# Uploading


def test_several_files_are_uploaded_at_once(client):
    answer = upload(client, ("a.txt", b"One."), ("b.pdf", pdf(["Two."])), category="Pain", tags="pain, fever")
    assert said(answer) == ["To be read: a.txt, b.pdf."]
    first, second = Document.objects.order_by("pk")
    assert (first.category, first.tags, second.tags) == ("Pain", ["pain", "fever"], ["pain", "fever"])
    assert set(JobRun.objects.values_list("trigger", flat=True)) == {"admin"}


def test_a_file_that_is_here_already_is_said_to_be(client):
    document = ready()
    answer = upload(client, ("other.txt", b"Aspirin helps."))
    assert said(answer) == [
        f'The same file is here already, as <a class="jobs-link" href="{page(document)}">aspirin</a>.'
    ]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.docx", b"PK", "“a.docx” cannot be read: files end with .docx."),
        ("a.pdf", b"Hello.", "“a.pdf” is no PDF, though its name says so."),
        ("a.txt", b"x" * 1_048_577, "“a.txt” is larger than 1 MB."),
        ("a.txt", b"", "“a.txt” is empty."),
    ],
)
def test_one_bad_file_refuses_all_and_says_which(client, settings, name, content, reason):
    settings.DOCUMENT_MAX_MB = 1
    answer = upload(client, ("good.txt", b"Good."), (name, content))
    assert reason in answer.content.decode()
    assert not Document.objects.exists()


def test_without_a_file_nothing_is_uploaded(client):
    assert "This field is required." in upload(client).content.decode()


# The list and the page


def test_the_list_says_how_each_is(client):
    ready(name="<b>bold.txt")
    ready(pdf_files.scan(), "scan.pdf")
    going = received(b"Going.", "going.txt")
    Document.objects.filter(pk=going.document.pk).update(state="processing")
    JobRun.objects.filter(pk=going.run.pk).update(progress=40, progress_text="Making vectors")
    text = client.get(LIST).content.decode()
    for part in (
        "It has no text: a scan",
        'value="40"',
        "Making vectors",
        "&lt;b&gt;bold.txt",
        "Ready",
        "Failed",
    ):
        assert part in text
    assert "<b>bold" not in text


def test_the_list_costs_the_same_queries_however_many_documents(client):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(LIST).status_code == 200
        return len(captured)

    received(b"0", "0.txt")
    before = queries()
    for number in range(1, 6):
        received(str(number).encode(), f"{number}.txt")
    assert queries() == before


def test_the_page_tells_state_text_and_progress(client):
    document = ready(pdf(["One is here.", "Two is there."], title="A leaflet"), "leaflet.pdf")
    text = client.get(page(document)).content.decode()
    for part in ("A leaflet", "1 passage on 2 pages", "leaflet.pdf", document.sha256, "Read again"):
        assert part in text
    waiting = received(b"Waiting.", "waiting.txt").document
    text = client.get(page(waiting)).content.decode()
    assert "It waits for a worker" in text
    assert page(waiting, "cancel") in text
    assert page(waiting, "again") not in text


def test_the_text_is_read_by_pages_and_passages(client):
    document = ready(pdf(["One is here.", "Two is there. " * 40]), "leaflet.pdf")
    text = client.get(f"/admin/knowledge/document/{document.pk}/read/").content.decode()
    first, second = Passage.objects.order_by("pk")[:2]
    assert f'id="passage-{first.pk}"' in text
    assert f'id="passage-{second.pk}"' in text
    assert text.index('id="page-1"') < text.index('id="page-2"')


def test_details_are_changed_and_another_title_reads_it_again(client):
    document = ready()
    details = {
        "title": "aspirin",
        "category": "Pain",
        "tags": "a,b",
        "language": "en",
        "year": 2020,
        "description": "D",
    }
    assert client.post(page(document), details).status_code == 302
    document.refresh_from_db()
    assert (document.category, document.tags, document.year, document.state) == (
        "Pain",
        ["a", "b"],
        2020,
        "ready",
    )
    client.post(page(document), details | {"title": "Fever"})
    document.refresh_from_db()
    assert (document.title, document.state) == ("Fever", "queued")
    answer = client.post(page(document), details | {"title": "Once more"})
    assert "It is being read: change its title when that is done." in answer.content.decode()
    answer = client.post(page(document), details | {"title": "Fever", "language": "Klingon!"})
    assert "Use a code such as en." in answer.content.decode()


def test_reading_is_cancelled_and_begun_again(client):
    document = received().document
    assert said(client.post(page(document, "again"), follow=True)) == ["It is being read already."]
    assert said(client.post(page(document, "cancel"), follow=True)) == ["Reading it is being cancelled."]
    document.refresh_from_db()
    assert document.state == "failed"
    assert said(client.post(page(document, "again"), follow=True)) == ["It will be read again."]
    assert client.get(page(document, "cancel")).status_code == 405


def test_the_list_can_have_some_read_again(client):
    chosen = [ready(b"One.", "a.txt"), received(b"Two.", "b.txt").document]
    answer = client.post(
        LIST, {"action": "read_again", "_selected_action": [one.pk for one in chosen]}, follow=True
    )
    assert said(answer) == ["b: It is being read already.", "To be read again: 1."]


def test_a_document_is_deleted_unless_an_answer_cites_it(client):
    document = ready()
    cite(document)
    text = client.get(page(document)).content.decode()
    assert "It cannot be deleted. Kept answers cite it: those to “What helps?”." in text
    assert page(document, "delete") not in text
    answer = client.post(page(document, "delete"), {"post": "yes"}, follow=True)
    assert said(answer) == ["Kept answers cite it: those to “What helps?”. Delete these questions first."]
    Question.objects.all().delete()
    client.post(page(document, "delete"), {"post": "yes"})
    assert not Document.objects.exists()


# Cleaning


def test_what_is_old_is_shown_and_goes_when_told_to(client):
    for name in ("old", "cited", "new"):
        document = ready(name.encode(), f"{name}.txt")
        if name != "new":
            Document.objects.filter(pk=document.pk).update(created_at=timezone.now() - timedelta(days=100))
        if name == "cited":
            cite(document)
    text = client.get(CLEANUP).content.decode()
    assert "old.txt" in text
    assert "new.txt" not in text
    assert "1 more stays because answers cite it" in text
    client.post(CLEANUP, {"_dry_run": "1"})
    assert result_of(JobRun.objects.order_by("-pk")[0])["documents"]["deleted"] == 1
    assert Document.objects.count() == 3
    client.post(CLEANUP, {"_delete": "1"})
    execute(JobRun.objects.order_by("-pk")[0])
    assert set(Document.objects.values_list("title", flat=True)) == {"cited", "new"}


# Models


def test_the_model_is_changed_from_its_page(client):
    shelve("aaa", "aaaa.")
    with registered(Letters("other", 13)):
        embed_all(Letters())
        assert "letters:26" in client.get(MODELS).content.decode()
        answer = client.post(REEMBED, {"embedder": "other"}, follow=True)
        assert said(answer)[0].startswith("Queued: ")
        result = result_of(JobRun.objects.get(job="knowledge.reembed"))
        assert (result["embedded"], result["is_live"]) == (1, False)
        other = EmbeddingModel.objects.get(name="other:13")
        address = reverse("admin:knowledge_embeddingmodel_go_live", args=[other.pk])
        assert (
            address
            in client.get(reverse("admin:knowledge_embeddingmodel_change", args=[other.pk])).content.decode()
        )
        assert "Shall the search ask this model" in client.get(address).content.decode()
        client.post(address)
        assert live() == "other:13"
        old = EmbeddingModel.objects.get(name="letters:26")
        drop = reverse("admin:knowledge_embeddingmodel_drop", args=[old.pk])
        client.post(drop)
        assert list(EmbeddingModel.objects.values_list("name", flat=True)) == ["other:13"]
        refused = client.post(reverse("admin:knowledge_embeddingmodel_drop", args=[other.pk]), follow=True)
        assert "let another model go live first" in said(refused)[-1]


def live():
    found = spaces.live()
    return found.name if found else ""


def test_an_incomplete_model_says_so_and_cannot_go_live(client):
    embed_all(Letters())
    with registered(other := Letters("other", 13)):
        spaces.of(Letters())
        building = spaces.of(other)
        shelve("aaa", "aaaa.")
        text = client.get(
            reverse("admin:knowledge_embeddingmodel_change", args=[building.pk])
        ).content.decode()
        assert "1 passage has no vector of it: it cannot go live yet." in text
        answer = client.post(
            reverse("admin:knowledge_embeddingmodel_go_live", args=[building.pk]), follow=True
        )
        assert said(answer) == ["1 passages have no vector of other:13 yet."]


def test_an_embedder_that_is_not_set_up_is_refused_in_the_form(client, settings):
    settings.EMBEDDING_BASE_URL = ""
    answer = client.post(REEMBED, {"embedder": "openai"})
    assert "No endpoint for vectors is set up" in answer.content.decode()
    assert not JobRun.objects.exists()


# Who may


def test_each_page_needs_its_permission():
    document = ready()
    embed_all(Letters())
    model = EmbeddingModel.objects.get()
    viewer = signed_in("view_document", "view_embeddingmodel")
    for address in (
        LIST,
        page(document),
        MODELS,
        reverse("admin:knowledge_embeddingmodel_change", args=[model.pk]),
    ):
        assert viewer.get(address).status_code == 200, address
    assert "Read again" not in viewer.get(page(document)).content.decode()
    assert "Change the model" not in viewer.get(MODELS).content.decode()
    assert "What is old" not in viewer.get(LIST).content.decode()
    for address in (
        ADD, CLEANUP, REEMBED, page(document), page(document, "again"), page(document, "cancel"),
        page(document, "delete"), reverse("admin:knowledge_embeddingmodel_drop", args=[model.pk]),
        reverse("admin:knowledge_embeddingmodel_go_live", args=[model.pk]),
    ):  # fmt: skip
        assert viewer.post(address, {"title": "x"}).status_code == 403, address
    nobody = signed_in()
    for address in (LIST, page(document), MODELS, ADD, CLEANUP, REEMBED):
        assert nobody.get(address).status_code == 403, address
    uploader = signed_in("add_document")
    assert upload(uploader, ("a.txt", b"One.")).status_code == 200
    assert Document.objects.count() == 2
