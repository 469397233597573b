"""What models took and cost, and how posts do, over the API."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from publishing.models import Agent, Generation, UsageRecord
from publishing.tests.api_client import client_with, get
from publishing.tests.factories import make_agent, make_post

pytestmark = pytest.mark.django_db

USAGE, SUMMARY, STATISTICS = "/api/v1/usage/", "/api/v1/usage/summary/", "/api/v1/publishing/statistics/"


@pytest.fixture
def client():
    return client_with(is_superuser=True)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def generation(agent: Agent, when: datetime, state="done", has_post=True) -> Generation:
    post = make_post(agent=agent) if has_post else None
    return Generation.objects.create(
        agent=agent, run_id=uuid4(), state=state, brief={}, began_at=when, ended_at=when, post=post
    )


def use(agent: Agent, when: datetime, by: Generation | None = None, **fields) -> UsageRecord:
    return UsageRecord.objects.create(
        **{
            "agent": agent,
            "generation": by,
            "step": "body",
            "model": "model-a",
            "tokens_in": 1000,
            "tokens_cached": 100,
            "tokens_out": 500,
            "cost": Decimal("0.25"),
            "at": when,
            **fields,
        }
    )


def test_usage_is_listed_filtered_and_paged_with_few_queries(client, django_assert_max_num_queries):
    agent, other = make_agent(), make_agent()
    made = generation(agent, at("2026-11-01T10:00"))
    rows = [use(agent, at(f"2026-11-0{day}T10:00"), by=made) for day in (1, 2, 3)]
    use(other, at("2026-11-02T10:00"), model="model-b", has_result=False)
    with django_assert_max_num_queries(1):
        found = get(client, USAGE)["results"]
    assert len(found) == 4
    assert (found[0]["agent"], found[0]["post"], found[0]["has_result"]) == (other.pk, None, False)
    first = found[-1]
    assert (first["id"], first["post"], first["generation"]) == (rows[0].pk, made.post_id, made.pk)
    assert (first["tokens_in"], first["tokens_cached"], first["cost"]) == (1000, 100, "0.250000000")
    for query, ids in (
        ({"agent": other.pk}, 1),
        ({"model": "model-a"}, 3),
        ({"post": made.post_id}, 3),
        ({"since": "2026-11-02T00:00:00Z"}, 3),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-03T00:00:00Z", "agent": agent.pk}, 1),
    ):
        assert len(get(client, USAGE, query)["results"]) == ids, query
    page = get(client, USAGE, {"page_size": 3})
    assert [row["id"] for row in get(client, page["next"])["results"]] == [rows[0].pk]
    assert list(get(client, USAGE, {"agent": "x"}, 400)["fields"]) == ["agent"]
    assert list(get(client, USAGE, {"since": "soon"}, 400)["fields"]) == ["since"]


def test_a_summary_adds_up_by_day_agent_and_model(client, django_assert_max_num_queries):
    agent, other = make_agent(name="Harbour"), make_agent(name="Port")
    first, second = (generation(agent, at(f"2026-11-0{day}T10:00")) for day in (1, 2))
    use(agent, at("2026-11-01T10:00"), by=first)
    use(agent, at("2026-11-01T11:00"), by=first, model="model-b")
    use(agent, at("2026-11-02T10:00"), by=second)
    use(agent, at("2026-11-02T10:01"), by=second)
    use(other, at("2026-11-02T10:00"), by=generation(other, at("2026-11-02T10:00"), "failed", False))
    query = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-03T00:00:00Z"}
    with django_assert_max_num_queries(1):
        found = get(client, SUMMARY, query)
    told = [
        (row["period"], row["agent_name"], row["model"], row["tokens_in"], row["cost"], row["posts"])
        for row in found["rows"]
    ]
    assert told == [
        ("2026-11-02", "Harbour", "model-a", 2000, "0.500000000", 1),
        ("2026-11-02", "Port", "model-a", 1000, "0.250000000", 0),
        ("2026-11-01", "Harbour", "model-a", 1000, "0.250000000", 1),
        ("2026-11-01", "Harbour", "model-b", 1000, "0.250000000", 1),
    ]
    total = found["total"]
    assert (total["tokens_in"], total["tokens_out"], total["cost"]) == (5000, 2500, "1.250000000")
    assert (total["posts"], total["calls"]) == (2, 5)
    by_month = get(client, SUMMARY, {**query, "period": "month", "agent": agent.pk, "model": "model-a"})
    assert [(row["period"], row["posts"]) for row in by_month["rows"]] == [("2026-11-01", 2)]


def test_a_day_is_a_day_where_the_agent_is(client):
    agent = make_agent(timezone="Pacific/Auckland")
    use(agent, at("2026-11-01T12:00"))  # one o'clock in the night of the second there
    query = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-02T00:00:00Z"}
    assert [row["period"] for row in get(client, SUMMARY, query)["rows"]] == ["2026-11-02"]


def test_posts_that_were_written_without_a_model_count_under_no_model(client):
    agent = make_agent()
    generation(agent, timezone.now() - timedelta(hours=1))
    (row,) = get(client, SUMMARY)["rows"]
    assert (row["model"], row["posts"], row["calls"], row["cost"]) == ("", 1, 0, "0.000000000")


def test_a_summary_of_nothing_is_empty(client):
    found = get(client, SUMMARY)
    assert (found["rows"], found["total"]["cost"], found["total"]["posts"]) == ([], "0.000000000", 0)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"period": "year"}, "period"),
        ({"since": "2026-11-02T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "since"),
        ({"since": "2025-01-01T00:00:00Z", "until": "2026-11-01T00:00:00Z"}, "since"),
        ({"since": "soon"}, "since"),
        ({"agent": "0"}, "agent"),
        ({"until": "0001-01-01T00:00:00Z"}, "until"),
    ],
)
def test_a_summary_of_a_window_that_is_none_is_400(client, query, named):
    assert list(get(client, SUMMARY, query, 400)["fields"]) == [named]


def test_statistics_tell_of_all_posts_and_of_each_agent_with_few_queries(
    client, django_assert_max_num_queries
):
    now = timezone.now()
    harbour, port = make_agent(name="Harbour"), make_agent(name="Port")
    for days in (1, 10, 40):
        make_post(agent=harbour, status="published", published_at=now - timedelta(days=days), score=60 + days)
    make_post(agent=harbour, status="failed")
    soon = now + timedelta(hours=3)
    make_post(status="scheduled", scheduled_at=soon)
    generation(port, now, "failed", False)
    generation(harbour, now, has_post=False)
    with django_assert_max_num_queries(3):
        found = get(client, STATISTICS)
    total = found["total"]
    assert total["posts"] == 5 and total["by_status"]["published"] == 3 and total["by_status"]["draft"] == 0
    assert total["success_rate"] == 0.75
    assert (total["posts_last_7_days"], total["posts_last_30_days"], total["upcoming_posts"]) == (1, 2, 1)
    assert datetime.fromisoformat(total["next_post_at"]) == soon
    assert total["mean_score"] == 77.0
    assert found["by_people"]["posts"] == 1 and found["by_people"]["success_rate"] is None
    agents = {row["name"]: row for row in found["by_agent"]}
    assert agents["Harbour"]["figures"]["posts"] == 4 and agents["Harbour"]["last_written_at"]
    assert (agents["Port"]["failed_generations"], agents["Port"]["last_written_at"]) == (1, None)
    assert agents["Port"]["figures"]["posts"] == 0


def test_statistics_of_nothing_are_zeros(client):
    found = get(client, STATISTICS)
    assert (found["total"]["posts"], found["total"]["success_rate"], found["by_agent"]) == (0, None, [])
