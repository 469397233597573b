"""The admin's pages of publishers: secrets go in and never out, a test tells what it found, controls ask for their permission."""

import pytest
from django.utils import timezone

from jobs.models import JobRun
from jobs.tests.staff import signed_in, staff
from publishing import publishers
from publishing.models import Publication, Publisher
from publishing.publications import State
from publishing.tests.factories import make_publication, make_publisher

pytestmark = pytest.mark.django_db

LIST = "/admin/publishing/publisher/"
KEY = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
TOKEN = "a-token-nobody-may-read"
FORM = {
    "name": "Hook",
    "lateness": "2:00:00",
    "parameter-url": "https://example.org/in",
    "parameter-method": "PUT",
    "parameter-status_url": "",
    "parameter-key": KEY,
    "parameter-auth": "bearer",
    "parameter-username": "",
    "parameter-token": TOKEN,
    "parameter-api_key_header": "X-API-Key",
    "parameter-authorization": "",
}
EVERY = ("view", "add", "change", "delete", "test", "enable")


@pytest.fixture
def client():
    names = [f"publishing.{what}_publisher" for what in EVERY]
    return signed_in(staff(*names, "jobs.view_jobrun", "publishing.view_publication"))


def page_of(publisher):
    return f"{LIST}{publisher.pk}/change/"


def webhook(**fields):
    return make_publisher(
        settings={"url": "https://example.org/in"}, secrets={"key": KEY, "token": TOKEN}, **fields
    )


def test_a_publisher_is_added_in_two_steps(client):
    page = client.get(f"{LIST}add/").content.decode()
    assert all(f"?kind={kind.name}" in page for kind in publishers.all_kinds())
    assert client.get(f"{LIST}add/?kind=webhook").status_code == 200
    answer = client.post(f"{LIST}add/?kind=webhook", FORM)
    publisher = Publisher.objects.get()
    assert answer["Location"] == page_of(publisher)
    assert (publisher.kind, publisher.lateness.total_seconds()) == ("webhook", 7200)
    assert (publisher.settings["url"], publisher.settings["method"]) == ("https://example.org/in", "PUT")
    assert publisher.secrets.open() == {"key": KEY, "token": TOKEN}


@pytest.mark.parametrize("kind", publishers.all_kinds(), ids=lambda kind: kind.name)
def test_each_kind_has_a_form_of_its_settings_that_hides_secrets(client, kind):
    page = client.get(f"{LIST}add/?kind={kind.name}")
    form = page.context["settings"]
    assert set(form.fields) == set(kind.parameters.model_fields)
    hidden = {
        name for name, field in form.fields.items() if getattr(field.widget, "input_type", "") == "password"
    }
    assert hidden == kind.parameters.secret_names()


def test_a_secret_is_never_shown_and_stays_when_it_is_left_empty(client):
    publisher = webhook()
    pages = [page_of(publisher), LIST, f"{LIST}{publisher.pk}/history/", f"{LIST}{publisher.pk}/delete/"]
    for page in pages:
        html = client.get(page).content.decode()
        assert KEY not in html and TOKEN not in html
    assert "It is set; leave this empty to keep it." in client.get(page_of(publisher)).content.decode()
    changed = {**FORM, "parameter-url": "https://example.org/new", "parameter-key": "", "parameter-token": ""}
    assert client.post(page_of(publisher), changed).status_code == 302
    publisher.refresh_from_db()
    assert publisher.settings["url"] == "https://example.org/new"
    assert publisher.secrets.open() == {"key": KEY, "token": TOKEN}


def test_a_refused_form_keeps_what_was_typed_but_for_secrets_and_stores_nothing(client):
    publisher = webhook()
    wrong = {**FORM, "name": "Renamed <b>", "parameter-url": "ftp://x/", "parameter-token": "typed-anew"}
    page = client.post(page_of(publisher), wrong)
    html = page.content.decode()
    assert page.status_code == 200
    assert "url" in page.context["settings"].errors
    assert 'value="Renamed &lt;b&gt;"' in html and 'value="ftp://x/"' in html
    assert 'value="2:00:00"' in html
    assert "typed-anew" not in html and KEY not in html
    assert "enter new ones again" in html
    before = publisher.name
    publisher.refresh_from_db()
    assert (publisher.name, publisher.secrets.open()["token"]) == (before, TOKEN)


def test_a_name_that_is_taken_and_a_second_blog_are_told_at_the_form(client):
    make_publisher("site", name="Blog")
    page = client.post(f"{LIST}add/?kind=webhook", {**FORM, "name": "Blog"})
    assert "name" in page.context["form"].errors
    page = client.post(f"{LIST}add/?kind=site", {"name": "Another", "lateness": "1:00:00"})
    assert page.context["form"].non_field_errors()
    assert Publisher.objects.count() == 1


def test_a_test_is_queued_and_the_page_tells_what_its_run_found(client):
    publisher = webhook()
    page = client.post(f"{LIST}{publisher.pk}/test/", follow=True).content.decode()
    run = JobRun.objects.get(job="publishing.test_publisher")
    assert (run.parameters, run.trigger) == ({"publisher_id": publisher.pk}, "admin")
    assert f"/admin/jobs/jobrun/{run.pk}/change/" in page
    look = f"{LIST}{publisher.pk}/last-test/"
    assert f'data-wait="{look}"' in page and "data-waiting" in client.get(look).content.decode()
    done = {"status": "succeeded", "result": "It answers <b>200</b>.", "finished_at": timezone.now()}
    JobRun.objects.filter(pk=run.pk).update(**done)
    page = client.get(look).content.decode()
    assert "It answers &lt;b&gt;200&lt;/b&gt;." in page and "data-waiting" not in page
    JobRun.objects.filter(pk=run.pk).update(status="failed", error_message="It refuses the key.")
    assert "It refuses the key." in client.get(page_of(publisher)).content.decode()


def test_the_test_of_another_publisher_is_not_shown(client):
    publisher, other = webhook(), webhook()
    client.post(f"{LIST}{other.pk}/test/")
    assert "not tested yet" in client.get(f"{LIST}{publisher.pk}/last-test/").content.decode()


def test_the_switch(client):
    publisher = webhook()
    client.post(f"{LIST}{publisher.pk}/disable/")
    assert not Publisher.objects.get().is_enabled
    assert "Disabled" in client.get(LIST).content.decode()
    client.post(f"{LIST}{publisher.pk}/enable/")
    assert Publisher.objects.get().is_enabled
    assert client.get(f"{LIST}{publisher.pk}/disable/").status_code == 405


def test_deleting_is_refused_with_the_reason_once_something_went_out(client):
    publisher = webhook()
    make_publication(publisher, state=State.PUBLISHED)
    page = client.post(f"{LIST}{publisher.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
    assert "Posts went or go out to this publisher. Disable it instead." in page
    assert Publisher.objects.exists()
    Publication.objects.all().delete()
    client.post(f"{LIST}{publisher.pk}/delete/", {"post": "yes"})
    assert not Publisher.objects.exists()


def test_a_publisher_whose_code_is_gone_is_listed_with_the_reason_and_takes_no_form(client):
    publisher = make_publisher("pigeon", settings={"loft": "<i>north</i>"})
    assert "No code for “pigeon”" in client.get(LIST).content.decode()
    page = client.get(page_of(publisher)).content.decode()
    assert "No code is left for the kind" in page and "&lt;i&gt;north&lt;/i&gt;" in page
    assert f"{LIST}{publisher.pk}/test/" not in page
    assert client.post(page_of(publisher), {"name": "x", "lateness": "1:00:00"}).status_code == 403


def test_the_list_tells_what_waits_what_failed_and_what_went_out(client):
    publisher = webhook(name="Hook")
    make_publication(publisher)
    for state in (State.FAILED, State.MISSED):
        make_publication(publisher, state=state, next_attempt_at=None)
    make_publication(publisher, state=State.PUBLISHED, published_at=timezone.now(), next_attempt_at=None)
    row = client.get(LIST).context["cl"].result_list[0]
    assert (row.standing.waiting, row.standing.left_to_people) == (1, 2)
    assert row.standing.last_published_at is not None
    page = client.get(f"/admin/publishing/publication/?publisher__id__exact={publisher.pk}&left=yes")
    assert len(page.context["cl"].queryset) == 2


def test_the_list_asks_the_same_number_of_queries_however_long_it_is(client, django_assert_max_num_queries):
    for _ in range(20):
        make_publication(webhook())
    client.get(LIST)
    with django_assert_max_num_queries(15):
        assert client.get(LIST).status_code == 200


CONTROLS = [
    ("test", "test"),
    ("enable", "enable"),
    ("disable", "enable"),
    ("delete", "delete"),
    ("change", "change"),
]


@pytest.mark.parametrize(("address", "permission"), CONTROLS)
def test_every_control_needs_its_own_permission(address, permission):
    publisher = webhook(is_enabled=address == "disable")
    before = Publisher.objects.values().get()
    data = {**FORM, "post": "yes"}
    others = {what for what in EVERY if what != permission}
    without = signed_in(staff(*(f"publishing.{what}_publisher" for what in others), "jobs.view_jobrun"))
    shown = without.get(page_of(publisher)).content.decode()
    if address != "change":
        assert f"{LIST}{publisher.pk}/{address}/" not in shown
    assert without.post(f"{LIST}{publisher.pk}/{address}/", data).status_code == 403
    assert Publisher.objects.values().get() == before and not JobRun.objects.exists()
    able = signed_in(staff("publishing.view_publisher", f"publishing.{permission}_publisher", name="able"))
    assert able.post(f"{LIST}{publisher.pk}/{address}/", data).status_code == 302
    assert JobRun.objects.exists() or Publisher.objects.values().first() != before


def test_who_may_only_look_adds_nothing_and_sees_no_button():
    looker = signed_in(staff("publishing.view_publisher"))
    publisher = webhook()
    assert looker.post(f"{LIST}add/?kind=webhook", FORM).status_code == 403
    page = looker.get(page_of(publisher)).content.decode()
    assert 'name="_save"' not in page and "disabled>" in page
    assert signed_in(staff(name="nobody")).get(page_of(publisher)).status_code == 403
