"""The admin's pages of agents: what they used is told, what is refused stands at its field, and nothing typed is lost."""

from decimal import Decimal

import pytest
from django.utils import timezone

from jobs.models import JobRun, Schedule
from jobs.tests.staff import signed_in, staff
from publishing import agents
from publishing.models import Agent, Generation, UsageRecord
from publishing.tests.factories import make_agent, make_post, make_publisher, make_source

pytestmark = pytest.mark.django_db

LIST = "/admin/publishing/agent/"
EVERY = ("view", "add", "change", "delete", "run", "enable")
LOOK = ("publishing.view_usagerecord", "publishing.view_generation", "jobs.view_jobrun", "jobs.view_schedule")


@pytest.fixture
def client():
    return signed_in(staff(*(f"publishing.{what}_agent" for what in EVERY), *LOOK))


def form(**fields):
    return {
        "name": "Harbour", "expertise": "Ferries", "persona": "", "tone": "dry", "audience": "", "language": "en",
        "length": "short", "writer": "digest", "topic": "", "keywords": "seals\nferries", "avoid": "", "max_items": "20",
        "max_age": "14 00:00:00", "schedule_cron": "0 7 * * mon-fri", "timezone": "Europe/Warsaw", "workflow": "review",
        "publish_at": "10:00", "daily_posts": "5", "monthly_posts": "", "daily_tokens": "", "monthly_tokens": "1000000",
        "daily_cost": "", "monthly_cost": "2.50", **fields,
    }  # fmt: skip


def page_of(agent):
    return f"{LIST}{agent.pk}/change/"


def generated(agent, **fields):
    now = timezone.now()
    values = {"writer": "digest", "brief": {"items": []}, "began_at": now, "ended_at": now, "state": "done"}
    return Generation.objects.create(agent=agent, **{**values, **fields})


def spent(generation, **fields):
    values = {"step": "body", "model": "small", "tokens_in": 900, "tokens_out": 100, "cost": Decimal("0.25")}
    return UsageRecord.objects.create(
        agent=generation.agent, generation=generation, at=timezone.now(), **{**values, **fields}
    )


def test_an_agent_is_added_with_its_schedule(client):
    source, publisher = make_source(), make_publisher()
    assert client.get(f"{LIST}add/").status_code == 200
    answer = client.post(f"{LIST}add/", form(sources=[source.pk], publishers=[publisher.pk]))
    agent = Agent.objects.get()
    assert answer["Location"] == page_of(agent)
    assert (agent.keywords, agent.monthly_cost, agent.monthly_posts) == (
        ["seals", "ferries"],
        Decimal("2.50"),
        None,
    )
    assert (list(agent.sources.all()), list(agent.publishers.all())) == ([source], [publisher])
    row = Schedule.objects.get(agent=agent)
    assert (row.name, str(row.crontab.timezone)) == ("Agent: Harbour", "Europe/Warsaw")
    page = client.get(page_of(agent)).content.decode()
    assert f"/admin/jobs/schedule/{row.pk}/change/" in page
    assert "Monday through Friday" in page and 'value="0 7 * * mon-fri"' in page


def test_an_agent_is_changed_and_an_empty_expression_ends_its_schedule(client):
    agent = agents.save(Agent(), {"name": "Old"}, cron="0 7 * * *", by=None)
    assert client.post(page_of(agent), form(name="New", schedule_cron="")).status_code == 302
    agent.refresh_from_db()
    assert (agent.name, agent.schedule, Schedule.objects.exists()) == ("New", None, False)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"schedule_cron": "99 7 * * *"}, "schedule_cron"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"workflow": "auto"}, "publishers"),
        ({"name": ""}, "name"),
        ({"language": "English!"}, "language"),
        ({"max_items": "0"}, "max_items"),
        ({"max_age": "0:00:10"}, "max_age"),
        ({"writer": "pigeon"}, "writer"),
        ({"daily_cost": "-1"}, "daily_cost"),
        ({"keywords": "x" * 101}, "keywords"),
    ],
)
def test_a_refusal_stands_at_its_field_and_nothing_typed_is_lost(client, wrong, field):
    source = make_source(name="Tides <b>")
    agent = agents.save(Agent(), {"name": "Old"}, cron="0 6 * * *", by=None)
    given = form(name="Renamed", persona="A <i>sailor</i>", sources=[source.pk]) | wrong
    for address in (page_of(agent), f"{LIST}add/"):
        answer = client.post(address, given)
        assert answer.status_code == 200
        assert field in answer.context["form"].errors
        html = answer.content.decode()
        assert "A &lt;i&gt;sailor&lt;/i&gt;" in html and given["keywords"] in html
        assert f'<option value="{source.pk}" selected>Tides &lt;b&gt;</option>' in html
        assert f'value="{given["schedule_cron"]}"' in html
    agent.refresh_from_db()
    assert (agent.name, agents.schedule_cron(agent), Agent.objects.count()) == ("Old", "0 6 * * *", 1)


def test_a_name_that_is_taken_is_refused(client):
    make_agent(name="Harbour")
    assert "name" in client.post(f"{LIST}add/", form()).context["form"].errors


def test_the_preview_tells_when_it_would_write_and_without_script_there_is_a_button(client):
    asked = {"schedule_cron": "0 7 * * mon-fri", "timezone": "Europe/Warsaw"}
    html = client.get(f"{LIST}preview/", asked).json()["html"]
    assert "Monday through Friday (Europe/Warsaw)" in html
    wrong = client.get(f"{LIST}preview/", {**asked, "schedule_cron": "<b>"}).json()["html"]
    assert "jobs-note--bad" in wrong and "<b>" not in wrong
    page = client.post(f"{LIST}add/", form(_preview="1")).content.decode()
    assert "Monday through Friday" in page and not Agent.objects.exists()
    assert signed_in(staff("publishing.view_agent", name="looker")).get(f"{LIST}preview/").status_code == 403


def test_a_schedule_of_another_rule_is_told_and_stays(client):
    from dataclasses import replace

    from jobs import schedules
    from jobs.when import When

    agent = agents.save(Agent(), {"name": "Harbour"}, cron="0 7 * * *", by=None)
    row = Schedule.objects.get(agent=agent)
    schedules.change(row, replace(schedules.wish_of(row), when=When(interval="every 6 hours")), by=None)
    page = client.get(page_of(agent)).content.decode()
    assert "another rule than a cron expression: Every 6 hours" in page
    client.post(page_of(agent), form(schedule_cron="", tone="wet"))
    assert schedules.wish_of(Schedule.objects.get(agent=agent)).when.interval


def test_the_list_and_the_page_tell_what_is_used_in_words(client):
    agent = make_agent(name="Harbour <b>", daily_posts=2, monthly_cost=Decimal("0.25"))
    post = make_post(agent=agent, title="Seals <i>")
    spent(generated(agent, post=post))
    for page in (client.get(LIST).content.decode(), client.get(page_of(agent)).content.decode()):
        assert "1 of 2" in page and "1 of 50" in page
        assert "1,000 of 1,000,000" in page
        assert "$0.25 of $0.25 · used up" in page and "$0.25, no limit" in page
        assert "only when asked" in page
        assert "Harbour &lt;b&gt;" in page and "Seals &lt;i&gt;" in page
    page = client.get(page_of(agent)).content.decode()
    assert "Cost by day, 30 days" in page and "$0.25 in all" in page
    assert f"/admin/publishing/generation/{Generation.objects.get().pk}/change/" in page


def test_when_it_writes_next_is_told_in_the_zone_of_the_reader(client):
    agent = agents.save(Agent(), {"name": "Harbour", "timezone": "UTC"}, cron="30 12 * * *", by=None)
    client.cookies["time_zone"] = "Asia/Kolkata"
    for page in (LIST, page_of(agent)):
        assert "18:00 Asia/Kolkata · 12:30 UTC" in client.get(page).content.decode()


def test_a_writer_that_cannot_be_used_is_told(client, settings):
    settings.OPENAI_API_KEY = ""
    make_agent(writer="openai")
    agent = make_agent(writer="pigeon")
    page = client.get(LIST).content.decode()
    assert page.count("Cannot write") == 2
    assert "There is no writer named “pigeon” any more." in client.get(page_of(agent)).content.decode()


def test_an_agent_writes_now_of_a_topic(client):
    agent = make_agent()
    assert client.get(f"{LIST}{agent.pk}/run/").status_code == 200
    answer = client.post(f"{LIST}{agent.pk}/run/", {"topic": "Seals", "keyword": "grey seal"})
    run = JobRun.objects.get()
    assert answer["Location"] == f"/admin/jobs/jobrun/{run.pk}/change/"
    assert (run.job, run.trigger) == ("publishing.generate_post", "admin")
    assert run.parameters == {"agent_id": agent.pk, "topic": "Seals", "keyword": "grey seal", "item_id": None}
    assert f"{LIST}{agent.pk}/change/" in client.get(answer["Location"]).content.decode()


@pytest.mark.parametrize(
    ("fields", "told"),
    [({"is_enabled": False}, "is disabled."), ({"daily_posts": 0}, "may use 0 posts a day")],
)
def test_a_refusal_to_write_is_told_and_the_topic_stays(client, fields, told):
    agent = make_agent(**fields)
    page = client.post(f"{LIST}{agent.pk}/run/", {"topic": "Seals <b>"}).content.decode()
    assert told in page and 'value="Seals &lt;b&gt;"' in page
    page = client.post(LIST, {"action": "write_now", "_selected_action": [agent.pk]}, follow=True)
    assert told in page.content.decode() and not JobRun.objects.exists()


def test_the_switch_takes_the_schedule_along(client):
    agent = agents.save(Agent(), {"name": "Harbour"}, cron="0 7 * * *", by=None)
    client.post(f"{LIST}{agent.pk}/disable/")
    assert not Agent.objects.get().is_enabled and not Schedule.objects.get(agent=agent).enabled
    assert "not while it is disabled" in client.get(LIST).content.decode()
    client.post(LIST, {"action": "enable", "_selected_action": [agent.pk]})
    assert Agent.objects.get().is_enabled and Schedule.objects.get(agent=agent).enabled


def test_deleting_is_refused_with_the_reason_once_it_has_written(client):
    agent = make_agent()
    generated(agent)
    page = client.post(f"{LIST}{agent.pk}/delete/", {"post": "yes"}, follow=True).content.decode()
    assert "The agent has written already; disable it instead." in page
    Generation.objects.all().delete()
    client.post(f"{LIST}{agent.pk}/delete/", {"post": "yes"})
    assert not Agent.objects.exists()


def test_the_list_asks_the_same_number_of_queries_however_long_it_is(client, django_assert_max_num_queries):
    for number in range(20):
        agent = agents.save(Agent(), {"name": f"Agent {number}"}, cron="0 7 * * *", by=None)
        make_post(agent=agent)
        spent(generated(agent))
    client.get(LIST)
    with django_assert_max_num_queries(22):
        assert client.get(LIST).status_code == 200


CONTROLS = [
    ("run", "run"),
    ("enable", "enable"),
    ("disable", "enable"),
    ("delete", "delete"),
    ("change", "change"),
]


@pytest.mark.parametrize(("address", "permission"), CONTROLS)
def test_every_control_needs_its_own_permission(address, permission):
    agent = make_agent(is_enabled=address != "enable")
    before = Agent.objects.values().get()
    data = {**form(), "post": "yes", "topic": "x", "keyword": "y"}
    others = [f"publishing.{what}_agent" for what in EVERY if what != permission]
    without = signed_in(staff(*others, "jobs.view_jobrun"))
    assert without.post(f"{LIST}{agent.pk}/{address}/", data).status_code == 403
    if address != "change":
        assert f"{LIST}{agent.pk}/{address}/" not in without.get(page_of(agent)).content.decode()
    assert Agent.objects.values().get() == before and not JobRun.objects.exists()
    able = signed_in(staff("publishing.view_agent", f"publishing.{permission}_agent", name="able"))
    assert able.post(f"{LIST}{agent.pk}/{address}/", data).status_code == 302
    assert JobRun.objects.exists() or Agent.objects.values().first() != before


@pytest.mark.parametrize("action", ["write_now", "enable", "disable"])
def test_who_may_only_look_finds_no_action_and_can_use_none(action):
    looker = signed_in(staff("publishing.view_agent"))
    agent = make_agent(is_enabled=action != "enable")
    assert f'value="{action}"' not in looker.get(LIST).content.decode()
    looker.post(LIST, {"action": action, "_selected_action": [agent.pk]})
    assert Agent.objects.get().is_enabled == (action != "enable") and not JobRun.objects.exists()
    page = looker.get(page_of(agent)).content.decode()
    assert 'name="_save"' not in page and "The last 30 days" not in page
    assert looker.post(f"{LIST}add/", form()).status_code == 403


def test_with_many_sources_they_are_looked_up_and_what_is_chosen_stays(client):
    from publishing.admin import agent_form

    many = [make_source() for _ in range(agent_form.MOST_IN_PAGE + 1)]
    agent = make_agent(sources=[many[0]])
    page = client.get(page_of(agent)).content.decode()
    assert f'<option value="{many[0].pk}" selected' in page and f'<option value="{many[1].pk}"' not in page
    client.post(page_of(agent), form(sources=[many[0].pk, many[5].pk]))
    assert set(agent.sources.all()) == {many[0], many[5]}
