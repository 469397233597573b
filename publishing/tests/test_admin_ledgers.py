"""What publishing's admin only shows: generations, usage, publications, sources in trouble, and the panel of the first page."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from jobs.models import JobRun
from jobs.tests.staff import signed_in, staff
from publishing.models import Generation, GenerationStep, ItemUse, Post, Publication, Source, UsageRecord
from publishing.publications import State
from publishing.tests.factories import (
    make_agent,
    make_item,
    make_post,
    make_publication,
    make_publisher,
    make_source,
)

pytestmark = pytest.mark.django_db

GENERATIONS, RECORDS = "/admin/publishing/generation/", "/admin/publishing/usagerecord/"
USAGE, PUBLICATIONS = "/admin/publishing/usage/", "/admin/publishing/publication/"
PANEL = "/admin/overview/publishing/"
VIEW = tuple(
    f"publishing.view_{name}"
    for name in (
        "agent",
        "generation",
        "usagerecord",
        "post",
        "publication",
        "publisher",
        "source",
        "feeditem",
    )
)


@pytest.fixture
def client():
    return signed_in(staff(*VIEW, "jobs.view_jobrun", "jobs.run_job"))


def written(agent, **fields):
    now = timezone.now()
    values = {
        "writer": "digest",
        "brief": {"language": "en", "avoid": ["<b>hype</b>"], "items": [{"id": 1}, {"id": 2}]},
        "began_at": now,
        "ended_at": now,
        "state": "done",
    }
    return Generation.objects.create(agent=agent, **{**values, **fields})


def spent(generation, **fields):
    values = {"step": "body", "model": "small", "tokens_in": 900, "tokens_out": 100, "cost": Decimal("0.25")}
    return UsageRecord.objects.create(
        agent=generation.agent, generation=generation, **{"at": timezone.now(), **values, **fields}
    )


# Generations


def test_a_generation_shows_what_was_told_done_used_and_taken(client):
    agent = make_agent(name="Harbour")
    generation = written(agent, post=make_post(title="Seals <i>"))
    GenerationStep.objects.create(
        generation=generation,
        name="outline",
        result={"html": "<script>x()</script>"},
        ended_at=timezone.now(),
    )
    spent(generation, has_result=False)
    item = agent.sources.get().items.earliest("pk")
    ItemUse.objects.create(agent=agent, item=item, generation=generation)
    page = client.get(f"{GENERATIONS}{generation.pk}/change/").content.decode()
    assert "&lt;script&gt;x()" in page and "<script>x()" not in page
    assert "&lt;b&gt;hype&lt;/b&gt;" in page and "Seals &lt;i&gt;" in page
    assert "1,000 tokens, $0.25" in page and "paid for nothing" in page
    assert f"/admin/publishing/feeditem/{item.pk}/change/" in page
    assert f"/admin/publishing/post/{generation.post_id}/change/" in page
    for address in (f"{GENERATIONS}add/", f"{GENERATIONS}{generation.pk}/delete/"):
        assert client.get(address).status_code == 403


def test_a_failed_generation_tells_why_and_its_run_can_be_run_again(client):
    run = JobRun.objects.create(
        job="publishing.generate_post",
        queue="generation",
        status="failed",
        trigger="admin",
        queued_at=timezone.now(),
        finished_at=timezone.now(),
        parameters={"agent_id": 1},
    )
    generation = written(make_agent(), state="failed", reason="It broke <b>off</b>.", run_id=run.pk)
    again = f"/admin/jobs/jobrun/{run.pk}/retry/"
    address = f"{GENERATIONS}{generation.pk}/change/"
    page = client.get(address).content.decode()
    assert "It broke &lt;b&gt;off&lt;/b&gt;." in page and again in page
    looker = signed_in(staff("publishing.view_generation", "jobs.view_jobrun", name="looker"))
    assert again not in looker.get(address).content.decode()
    blind = signed_in(staff("publishing.view_generation", name="blind"))
    page = blind.get(address).content.decode()
    assert f"/admin/jobs/jobrun/{run.pk}/" not in page and "What it used" not in page


@pytest.mark.parametrize(
    "page", [GENERATIONS, RECORDS, USAGE, PUBLICATIONS, "/admin/publishing/source/", PANEL]
)
def test_pages_ask_the_same_number_of_queries_however_much_there_is(
    client, django_assert_max_num_queries, page
):
    for _ in range(15):
        generation = written(make_agent(), post=make_post(status="in_review"))
        spent(generation, model=f"model-{generation.pk}")
        make_publication(make_publisher(), state=State.FAILED, next_attempt_at=None)
        make_source(consecutive_failures=1)
    client.get(page)
    with django_assert_max_num_queries(15):
        assert client.get(page).status_code == 200


@pytest.mark.parametrize("page", [GENERATIONS, RECORDS, USAGE, PUBLICATIONS, PANEL])
def test_pages_are_for_those_who_may_see_them(page):
    refused = signed_in(staff("jobs.view_jobrun")).get(page).status_code
    assert refused == (404 if page == PANEL else 403)


# Usage


def test_usage_is_summed_by_agent_and_model_for_this_month_and_the_last(client):
    agent = make_agent(name="Harbour <b>")
    generation = written(agent)
    spent(generation)
    spent(generation, model="large", cost=Decimal("1.5"))
    last = timezone.now().replace(day=1) - timedelta(days=3)
    spent(generation, at=last, cost=Decimal(4))
    spent(generation, at=last - timedelta(days=40), cost=Decimal(99))
    page = client.get(USAGE)
    lines = {tuple(line.names): line for line in page.context["by_both"]}
    small = lines["Harbour <b>", "small"]
    assert (small.this.cost, small.this.tokens, small.last.cost) == (Decimal("0.25"), 1000, Decimal(4))
    assert (page.context["this"].cost, page.context["last"].cost) == (Decimal("1.75"), Decimal(4))
    assert [line.names for line in page.context["by_model"]] == [("large",), ("small",)]
    html = page.content.decode()
    assert "Harbour &lt;b&gt;" in html and "$1.75" in html and "$99" not in html
    assert f"agent__id__exact={agent.pk}&amp;model=large" in html


def test_posts_without_any_model_are_counted_too(client):
    written(make_agent(), post=make_post())
    page = client.get(USAGE)
    assert [(line.names, line.this.posts) for line in page.context["by_model"]] == [(("no model",), 1)]


def test_records_are_found_by_agent_model_and_day(client):
    agent, other = make_agent(), make_agent()
    today = spent(written(agent))
    spent(written(other))
    spent(today.generation, at=timezone.now() - timedelta(days=3))
    spent(today.generation, model="large")
    asked = {
        "agent__id__exact": agent.pk,
        "model": "small",
        "day": timezone.localdate().isoformat(),
    }
    assert list(client.get(RECORDS, asked).context["cl"].queryset) == [today]
    assert len(client.get(RECORDS, {"day": "yesterday <b>"}).context["cl"].queryset) == 4
    assert client.get(RECORDS, {"day": "9999-12-31"}).status_code == 200


# Publications


def publisher_client(*more):
    return signed_in(staff(*VIEW, "jobs.view_jobrun", *more, name="publisher"))


def test_a_publication_shows_its_attempts_with_their_runs():
    client = publisher_client()
    row = make_publication(make_publisher(), state=State.FAILED, reason="It said <b>no</b>.")
    run_id = "01900000-0000-7000-8000-00000000abcd"
    row.attempts.create(
        what="sent",
        began_at=timezone.now(),
        outcome="refused",
        status=401,
        message="<i>no</i>",
        run_id=run_id,
    )
    page = client.get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    assert "Sent: Refused" in page and "401" in page and "&lt;i&gt;no&lt;/i&gt;" in page
    assert f"/admin/jobs/jobrun/{run_id}/change/" in page
    assert "It said &lt;b&gt;no&lt;/b&gt;." in page


def test_an_address_there_is_a_link_only_if_it_is_one():
    client = publisher_client()
    row = make_publication(
        make_publisher(),
        state=State.PUBLISHED,
        remote_url="javascript:x()",
        remote_id="7",
        next_attempt_at=None,
    )
    assert "javascript:" not in client.get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    Publication.objects.update(remote_url="https://blog.example/7")
    assert 'href="https://blog.example/7"' in client.get(PUBLICATIONS).content.decode()


def test_what_failed_is_sent_again_after_a_question():
    client = publisher_client("publishing.publish_post")
    row = make_publication(make_publisher(), state=State.FAILED, next_attempt_at=None)
    address = f"{PUBLICATIONS}{row.pk}/send-again/"
    assert address in client.get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    assert "Send it once more?" in client.get(address).content.decode()
    row.refresh_from_db()
    assert row.state == State.FAILED
    client.post(address, {"confirmed": "yes"})
    row.refresh_from_db()
    assert row.state == State.WAITING
    assert "cannot be sent again now" in client.post(address, follow=True).content.decode()


def test_an_unconfirmed_one_is_confirmed_with_its_address():
    client = publisher_client("publishing.publish_post")
    row = make_publication(make_publisher(), state=State.UNCONFIRMED, next_attempt_at=None)
    assert "would be there twice" in client.get(f"{PUBLICATIONS}{row.pk}/send-again/").content.decode()
    address = f"{PUBLICATIONS}{row.pk}/confirm/"
    refused = client.post(address, {"url": "javascript:x"})
    assert refused.context["form"].errors and 'value="javascript:x"' in refused.content.decode()
    client.post(address, {"url": "https://blog.example/1"})
    row.refresh_from_db()
    assert (row.state, row.remote_url) == (State.PUBLISHED, "https://blog.example/1")


def stuck():
    return make_publication(
        make_publisher(),
        state=State.PUBLISHED,
        errand="update",
        next_attempt_at=None,
        attempts_made=12,
        published_at=timezone.now(),
    )


def test_an_errand_that_was_given_up_is_tried_again():
    client = publisher_client("publishing.publish_post")
    row = stuck()
    address = f"{PUBLICATIONS}{row.pk}/try-again/"
    page = client.get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    assert "Still to be done: change it there." in page and address in page
    client.post(address)
    row.refresh_from_db()
    assert row.next_attempt_at is not None and row.attempts_made == 0
    assert "There is nothing left to try." in client.post(address, follow=True).content.decode()


def test_errands_are_tried_again_from_the_list():
    client = publisher_client("publishing.publish_post")
    rows = [stuck(), make_publication(make_publisher(), state=State.FAILED)]
    data = {"action": "try_again", "_selected_action": [row.pk for row in rows]}
    page = client.post(PUBLICATIONS, data, follow=True).content.decode()
    assert "To be tried again: 1." in page and "There is nothing left to try." in page


@pytest.mark.parametrize("control", ["send-again", "confirm", "try-again"])
def test_deciding_on_a_publication_needs_the_permission_to_publish(control):
    client = publisher_client("publishing.change_post", "publishing.review_post")
    row = stuck() if control == "try-again" else make_publication(make_publisher(), state=State.UNCONFIRMED)
    address = f"{PUBLICATIONS}{row.pk}/{control}/"
    before = Publication.objects.values().get()
    assert address not in client.get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    assert client.post(address).status_code == client.get(address).status_code == 403
    assert Publication.objects.values().get() == before


@pytest.mark.parametrize("state", State.values)
def test_a_publication_of_every_state_has_a_page(state):
    lease = {"lease": "01900000-0000-7000-8000-00000000abcd"} if state == State.SENDING else {}
    row = make_publication(make_publisher(), state=state, **lease)
    page = publisher_client().get(f"{PUBLICATIONS}{row.pk}/change/").content.decode()
    assert State(state).label in page


# Sources


def test_broken_sources_come_first_the_worst_before_all(client):
    now = timezone.now()
    rows: dict[str, dict[str, object]] = {
        "a fine one": {"last_success_at": now},
        "b failing": {"consecutive_failures": 1},
        "c unreadable": {"consecutive_parse_failures": 3, "consecutive_failures": 3},
        "d gone": {"gone_at": now},
        "e gone but disabled": {"gone_at": now, "is_enabled": False},
    }
    for name, fields in rows.items():
        make_source(name=name, **fields)
    names = [source.name for source in client.get("/admin/publishing/source/").context["cl"].result_list]
    assert names == ["d gone", "c unreadable", "b failing", "a fine one", "e gone but disabled"]


def test_a_source_tells_how_many_agents_write_of_it_and_leads_to_them(client):
    source = make_source()
    for number in range(2):
        make_agent(sources=[source], name=f"Writer {number}")
    for number in range(3):
        make_item(source, title=f"Item {number}")
    row = client.get("/admin/publishing/source/").context["cl"].result_list[0]
    assert (row.agent_count, row.item_count) == (2, 3)
    found = client.get("/admin/publishing/agent/", {"sources__id__exact": source.pk})
    assert len(found.context["cl"].queryset) == 2


def test_writing_at_once_is_switched_on_in_the_form():
    editor = signed_in(staff("publishing.view_source", "publishing.change_source"))
    source = make_source()
    given = {
        "name": source.name, "kind": "feed", "url": source.url, "language": "", "backfill_limit": "20",
        "min_interval": "0:05:00", "max_interval": "1 00:00:00", "auto_generate": "on",
    }  # fmt: skip
    address = f"/admin/publishing/source/{source.pk}/change/"
    assert editor.post(address, given).status_code == 302
    assert Source.objects.get().auto_generate
    del given["auto_generate"]
    editor.post(address, given)
    assert not Source.objects.get().auto_generate


# The panel


def test_the_panel_tells_what_comes_what_is_wrong_and_what_it_costs(client):
    for number in range(6):
        at = timezone.now() + timedelta(hours=6 - number)
        make_post(title=f"Soon {number} <b>", status=Post.Status.SCHEDULED, scheduled_at=at)
    make_post(status=Post.Status.IN_REVIEW)
    publisher = make_publisher()
    for state in (State.FAILED, State.FAILED, State.MISSED, State.UNCONFIRMED):
        make_publication(publisher, state=state, next_attempt_at=None)
    make_source(name="Fog <i>", gone_at=timezone.now(), last_error="It said <b>410</b>.")
    spent(written(make_agent()))
    page = client.get(PANEL).content.decode()
    assert [page.count(f"Soon {number} &lt;b&gt;") for number in range(6)] == [0, 1, 1, 1, 1, 1]
    assert page.index("Soon 5") < page.index("Soon 4")
    for told in ("In review: 1", "Failed: 2", "Missed: 1", "Unconfirmed: 1", "$0.25"):
        assert told in page
    assert "Fog &lt;i&gt;" in page and "It said &lt;b&gt;410&lt;/b&gt;." in page


def test_the_numbers_of_the_panel_lead_to_what_they_count(client):
    publisher = make_publisher()
    for _ in range(2):
        make_publication(publisher, state=State.FAILED, next_attempt_at=None)
    make_publication(publisher, state=State.UNCONFIRMED)  # is still being looked for
    page = client.get(PANEL).content.decode()
    link = f"{PUBLICATIONS}?left=yes&amp;state__exact=failed"
    assert link in page and "Failed: 2" in page and "Unconfirmed: 0" in page
    assert len(client.get(link.replace("&amp;", "&")).context["cl"].queryset) == 2


def test_the_panel_shows_each_only_what_they_may_see():
    looker = signed_in(staff("publishing.view_source"))
    make_source(name="Fog", gone_at=timezone.now())
    page = looker.get(PANEL).content.decode()
    assert (
        "Fog" in page and "Goes out next" not in page and "In review" not in page and "This month" not in page
    )
