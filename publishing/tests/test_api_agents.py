"""Agents over the API: made, changed, switched, asked to write; quotas, and every way of saying no."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from jobs import schedules
from jobs.context import ActiveRun
from jobs.models import AuditEvent, JobRun, Schedule
from publishing import tasks
from publishing.models import Agent, Generation, Post
from publishing.tests.api_client import client_with, get, patch, post
from publishing.tests.factories import make_agent, make_publisher, make_source
from publishing.tests.scripted_writer import install

pytestmark = pytest.mark.django_db

AGENTS, GENERATE = "/api/v1/agents/", "/api/v1/posts/generate/"
UNKNOWN = 2**31 - 1


@pytest.fixture
def client():
    return client_with(is_superuser=True)


@pytest.fixture
def writer(monkeypatch):
    return install(monkeypatch)


def address(agent, action="") -> str:
    return f"{AGENTS}{agent.pk}/{action}"


def used_up() -> Agent:
    """An agent that may write no more today."""
    agent = make_agent(daily_posts=1)
    now = timezone.now()
    Generation.objects.create(agent=agent, state="done", brief={}, began_at=now, ended_at=now)
    return agent


def carry_out(started) -> None:
    """What a worker does with the run of an answer."""
    run = JobRun.objects.get(pk=started["id"])
    tasks.generate_post(ActiveRun(run.pk, attempt=1), **run.parameters)


# Making and changing


def test_an_agent_is_made_with_its_schedule_sources_and_publishers(client):
    source, publisher = make_source(), make_publisher("file")
    body = {
        "name": "Harbour",
        "schedule_cron": "30 6 * * 1-5",
        "timezone": "Europe/Warsaw",
        "sources": [source.pk],
        "publishers": [publisher.pk],
        "workflow": "auto",
        "max_age_seconds": 90 * 86_400,
        "publish_at": "07:45",
        "monthly_cost": "12.50",
        "daily_posts": None,
    }
    made = post(client, AGENTS, body, 201)
    assert made.items() >= body.items()
    assert (made["is_enabled"], made["writer"], made["monthly_posts"]) == (True, "digest", 50)
    row = Schedule.objects.get(pk=made["schedule"])
    assert (row.task, str(row.crontab.timezone)) == ("publishing.generate_post", "Europe/Warsaw")
    next_run = datetime.fromisoformat(made["next_run_at"])
    assert timezone.now() < next_run <= timezone.now() + timedelta(days=4)
    assert get(client, f"{AGENTS}{made['id']}/") == made


def test_a_change_leaves_alone_what_it_does_not_name(client):
    source = make_source()
    made = post(client, AGENTS, {"name": "Harbour", "sources": [source.pk], "schedule_cron": "@daily"}, 201)
    changed = patch(client, f"{AGENTS}{made['id']}/", {"tone": "dry", "keywords": ["tides", "boats"]})
    assert changed == {**made, "tone": "dry", "keywords": ["tides", "boats"]}
    without = patch(client, f"{AGENTS}{made['id']}/", {"schedule_cron": "", "sources": []})
    assert (without["schedule"], without["next_run_at"], without["sources"]) == (None, None, [])


@pytest.mark.parametrize(
    ("fields", "named", "reason"),
    [
        ({"name": ""}, "name", "blank"),
        ({"name": "Taken"}, "name", "already exists"),
        ({"schedule_cron": "61 * * * *"}, "schedule_cron", "61"),
        ({"schedule_cron": "tomorrow"}, "schedule_cron", ""),
        ({"timezone": "Mars/Olympus"}, "timezone", "Mars"),
        ({"writer": "monkeys"}, "writer", "known: digest"),
        ({"length": "endless"}, "length", "not a valid choice"),
        ({"language": "no language"}, "language", ""),
        ({"sources": [UNKNOWN]}, "sources", f"There is no source {UNKNOWN}."),
        ({"publishers": [UNKNOWN]}, "publishers", f"There is no publisher {UNKNOWN}."),
        ({"sources": ["x"]}, "sources.0", "integer"),
        ({"workflow": "auto"}, "publishers", "Choose where"),
        ({"max_items": 0}, "max_items", "1"),
        ({"max_age_seconds": 60}, "max_age_seconds", "3600"),
        ({"publish_at": "25:00"}, "publish_at", ""),
        ({"daily_cost": "-1"}, "daily_cost", "0"),
        ({"daily_posts": -1}, "daily_posts", "0"),
        ({"is_enabled": False}, "is_enabled", "no such field"),
        ({"name": "Zero\x00"}, "name", ""),
    ],
)
def test_bad_input_is_400_with_the_field_and_the_reason(client, fields, named, reason):
    make_agent(name="Taken")
    said = post(client, AGENTS, {"name": "Harbour", **fields}, 400)
    assert list(said["fields"]) == [named]
    assert reason in said["fields"][named][0]
    assert (
        Agent.objects.count() == 1 and not Schedule.objects.filter(task="publishing.generate_post").exists()
    )


def test_an_unknown_agent_is_404_everywhere(client):
    for action in ("", "usage/", "sources/", "publishers/"):
        assert get(client, f"{AGENTS}{UNKNOWN}/{action}", status=404)["code"] == "not_found"
    for action in ("run", "enable", "disable"):
        post(client, f"{AGENTS}{UNKNOWN}/{action}/", status=404)


def test_an_agent_that_has_written_cannot_be_deleted_and_another_can(client):
    assert client.delete(address(used_up())).status_code == 409
    idle = make_agent()
    assert client.delete(address(idle)).status_code == 204
    get(client, address(idle), status=404)


def test_a_switch_takes_the_schedule_with_it(client):
    made = post(client, AGENTS, {"name": "Harbour", "schedule_cron": "@hourly"}, 201)
    off = post(client, f"{AGENTS}{made['id']}/disable/")
    assert (off["is_enabled"], off["next_run_at"], off["schedule_cron"]) == (False, None, "0 * * * *")
    on = post(client, f"{AGENTS}{made['id']}/enable/")
    assert on["is_enabled"] and on["next_run_at"] is not None


def test_a_paused_schedule_writes_next_after_its_pause(client):
    made = post(client, AGENTS, {"name": "Harbour", "schedule_cron": "@hourly"}, 201)
    row = Schedule.objects.get(pk=made["schedule"])
    until = (timezone.now() + timedelta(days=2)).replace(minute=0, second=0, microsecond=0)
    schedules.pause(row, until=until, by=None)
    assert datetime.fromisoformat(get(client, f"{AGENTS}{made['id']}/")["next_run_at"]) == until
    schedules.pause(row, by=None)
    assert get(client, f"{AGENTS}{made['id']}/")["next_run_at"] is None


def test_lists_are_filtered_paged_and_cost_few_queries(client, django_assert_max_num_queries):
    source = make_source()
    first, second = make_agent(name="Harbour", sources=[source]), make_agent(name="Port", is_enabled=False)
    for _ in range(8):
        post(client, AGENTS, {"name": f"A{_}", "schedule_cron": "@daily", "sources": [source.pk]}, 201)
    with django_assert_max_num_queries(3):  # agents with their schedules, sources, publishers
        rows = get(client, AGENTS)["results"]
    assert [row["name"] for row in rows][-2:] == ["Port", "Harbour"]
    assert all(row["next_run_at"] for row in rows[:-2])
    assert [row["id"] for row in get(client, AGENTS, {"enabled": "false"})["results"]] == [second.pk]
    assert [row["id"] for row in get(client, AGENTS, {"name": "harb"})["results"]] == [first.pk]
    assert len(get(client, AGENTS, {"source": source.pk})["results"]) == 9
    page = get(client, AGENTS, {"page_size": 6})
    assert len(get(client, page["next"])["results"]) == 4
    assert list(get(client, AGENTS, {"workflow": "chaos"}, 400)["fields"]) == ["workflow"]


def test_the_sources_and_publishers_of_an_agent_are_listed_without_those_of_others(client):
    mine, publisher = make_source(), make_publisher("file")
    agent = make_agent(sources=[mine], publishers=[publisher])
    make_agent()
    assert [row["id"] for row in get(client, address(agent, "sources/"))["results"]] == [mine.pk]
    assert [row["id"] for row in get(client, address(agent, "publishers/"))["results"]] == [publisher.pk]


def test_writers_say_why_they_cannot_be_used(client, writer, monkeypatch):
    monkeypatch.setattr(writer, "why_not", lambda: "There is no key.", raising=False)
    found = {row["kind"]: row for row in get(client, f"{AGENTS}writers/")}
    assert (found["digest"]["is_default"], found["digest"]["is_usable"]) == (True, True)
    scripted = found["scripted"]
    assert (scripted["is_usable"], scripted["why_not"]) == (False, "There is no key.")


# Writing


@pytest.mark.parametrize(
    ("action", "body"),
    [("run", {"topic": "Tides", "keyword": "boats"}), (None, {"topic": "Tides", "target_keyword": "boats"})],
)
def test_asking_for_a_post_answers_202_with_the_run_that_writes_it(client, writer, action, body):
    agent = make_agent(writer="scripted")
    if action is None:
        started = post(client, GENERATE, {"agent_id": agent.pk, **body}, 202)
    else:
        started = post(client, address(agent, "run/"), body, 202)
    run = JobRun.objects.get(pk=started["id"])
    assert (run.job, run.trigger, run.requested_by_id) == (
        "publishing.generate_post",
        "api",
        client.user.pk,
    )
    carry_out(started)
    generation = Generation.objects.get()
    assert (generation.topic, generation.keyword, generation.post) == ("Tides", "boats", Post.objects.get())


def test_a_request_that_is_sent_again_begins_no_second_post_also_when_the_first_took_the_quota(
    client, writer
):
    agent = make_agent(writer="scripted", daily_posts=1)
    first = post(client, address(agent, "run/"), {"topic": "Tides"}, 202, key="abc")
    carry_out(first)
    again = post(client, address(agent, "run/"), {"topic": "Tides"}, 202, key="abc")
    assert again["id"] == first["id"] and JobRun.objects.count() == 1
    assert AuditEvent.objects.filter(message__contains="Asked for a post").count() == 1
    post(client, address(agent, "run/"), {"topic": "Boats"}, 409, key="abc")
    post(client, GENERATE, {"agent_id": agent.pk, "topic": "Tides"}, 402, key="other")
    post(client, address(agent, "run/"), {}, 400, key="k" * 201)


def test_an_agent_whose_quota_is_used_up_answers_402_and_says_which(client):
    agent = used_up()
    for said in (
        post(client, address(agent, "run/"), {}, 402),
        post(client, GENERATE, {"agent_id": agent.pk}, 402),
    ):
        assert said["code"] == "quota_exceeded" and "1 posts a day" in said["message"]
    assert not JobRun.objects.exists()


def test_a_disabled_agent_answers_409(client):
    agent = make_agent(is_enabled=False)
    assert "is disabled" in post(client, address(agent, "run/"), {}, 409)["message"]
    post(client, GENERATE, {"agent_id": agent.pk}, 409)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "agent_id"),
        ({"agent_id": UNKNOWN}, "agent_id"),
        ({"agent_id": "x"}, "agent_id"),
        ({"agent_id": None}, "agent_id"),
        ({"agent_id": True}, "agent_id"),
        ({"agent_id": 1, "topic": "t" * 301}, "topic"),
        ({"agent_id": 1, "subject": "Tides"}, "subject"),
    ],
)
def test_generating_wants_an_agent_that_exists(client, body, named):
    if body.get("agent_id") is not True and body.get("agent_id") == 1:
        body = {**body, "agent_id": make_agent().pk}
    assert list(post(client, GENERATE, body, 400)["fields"]) == [named]


def test_writing_needs_its_own_permission():
    agent, reader = make_agent(), client_with("view_agent", "change_agent", "run_job")
    for where, body in ((address(agent, "run/"), {}), (GENERATE, {"agent_id": agent.pk})):
        assert "publishing.run_agent" in post(reader, where, body, 403)["message"]


# Quotas


def test_usage_tells_of_each_of_the_six_quotas_and_when_they_begin_anew(client, writer):
    agent = make_agent(
        writer="scripted", daily_posts=4, monthly_cost=Decimal("1.50"), timezone="Pacific/Auckland"
    )
    carry_out(post(client, address(agent, "run/"), {}, 202))
    found = get(client, address(agent, "usage/"))
    quotas = {(row["period"], row["what"]): row for row in found["quotas"]}
    assert len(quotas) == 6
    expected = {"used": 1.0, "limit": 4.0, "left": 3.0, "percent": 25}
    assert quotas["day", "posts"].items() >= expected.items()
    assert quotas["month", "cost"].items() >= {"used": 0.75, "limit": 1.5, "percent": 50}.items()
    assert (quotas["day", "tokens"]["limit"], quotas["day", "tokens"]["percent"]) == (None, None)
    ends = datetime.fromisoformat(found["day_ends_at"]).astimezone(agent.zone)
    assert (ends.hour, ends.minute) == (0, 0) and ends > timezone.now()
    assert datetime.fromisoformat(found["month_ends_at"]).astimezone(agent.zone).day == 1


@pytest.mark.parametrize(
    ("at", "day_ends", "month_ends"),
    [
        ("2026-10-25T00:30:00+02:00", "2026-10-26T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
        ("2026-12-31T23:59:59+01:00", "2027-01-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-03-29T12:00:00+02:00", "2026-03-30T00:00:00+02:00", "2026-04-01T00:00:00+02:00"),
    ],
)
def test_periods_end_at_midnight_where_the_agent_is_also_when_clocks_change(at, day_ends, month_ends):
    agent, moment = Agent(timezone="Europe/Warsaw"), datetime.fromisoformat(at)
    assert agent.day_ends(moment) == datetime.fromisoformat(day_ends)
    assert agent.month_ends(moment) == datetime.fromisoformat(month_ends)
