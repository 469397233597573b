"""The named tasks over the API: each is a run, each asks for the right of what it does, and says no honestly."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs import health, ledger
from jobs.alerts import canary
from jobs.models import JobRun, ProcessHeartbeat
from publishing.models import Generation, Publication
from publishing.tests.api_client import client_with, get, post
from publishing.tests.factories import make_agent, make_post, make_publisher, make_source

pytestmark = pytest.mark.django_db

TASKS = "/api/v1/tasks/"
UNKNOWN, UNKNOWN_RUN = 2**31 - 1, UUID(int=7)


@pytest.fixture
def client():
    return client_with(is_superuser=True)


def make_task(**fields) -> JobRun:
    return JobRun.objects.create(
        **{
            "job": "publishing.publish_post",
            "queue": "publishing",
            "trigger": "api",
            "queued_at": timezone.now(),
            **fields,
        }
    )


def run_of(answer) -> JobRun:
    assert answer["status"] == "pending" and answer["message"]
    assert answer["run"].endswith(f"/api/v1/runs/{answer['task_id']}/")
    return JobRun.objects.get(pk=answer["task_id"])


# Asking for work


def test_generating_publishing_polling_and_sending_again_are_runs(client):
    agent, source, publisher = make_agent(), make_source(), make_publisher("file")
    draft = make_post()
    body = {"agent_id": agent.pk, "topic": "Tides", "keyword": "boats"}
    run = run_of(post(client, f"{TASKS}generate-post/", body, 202))
    assert run.job == "publishing.generate_post" and run.parameters.items() >= body.items()

    body = {"post_id": draft.pk, "publisher_id": publisher.pk}
    run = run_of(post(client, f"{TASKS}publish-post/", body, 202))
    assert (run.job, run.parameters) == ("publishing.publish_post", {"post_id": draft.pk})
    assert Publication.objects.get().publisher == publisher

    body = {"source_id": source.pk, "auto_generate": True}
    run = run_of(post(client, f"{TASKS}monitor-rss/", body, 202))
    assert run.job == "publishing.monitor_feed" and run.parameters.items() >= body.items()

    run = run_of(post(client, f"{TASKS}retry-failed/", {}, 202))
    assert (run.job, run.trigger) == ("publishing.retry_failed_publications", "api")


def test_without_a_publisher_a_post_goes_where_it_is_scheduled_for_or_else_where_its_agent_publishes(client):
    chosen, usual = make_publisher("file"), make_publisher("webhook")
    agent = make_agent(publishers=[usual])
    written, planned = make_post(agent=agent), make_post(agent=agent)
    at = (timezone.now() + timedelta(days=1)).isoformat()
    post(client, f"/api/v1/posts/{planned.pk}/schedule/", {"scheduled_at": at, "publishers": [chosen.pk]})
    for one in (written, planned):
        post(client, f"{TASKS}publish-post/", {"post_id": one.pk}, 202)
    assert Publication.objects.get(post=written).publisher == usual
    assert Publication.objects.get(post=planned).publisher == chosen


def test_a_post_that_nobody_says_where_to_publish_is_400(client):
    for lonely in (make_post(), make_post(agent=make_agent())):
        said = post(client, f"{TASKS}publish-post/", {"post_id": lonely.pk}, 400)
        assert "Choose where it goes out" in said["fields"]["publisher_id"][0]


@pytest.mark.parametrize(
    ("task", "body", "named"),
    [
        ("generate-post", {}, "agent_id"),
        ("generate-post", {"agent_id": UNKNOWN}, "agent_id"),
        ("publish-post", {"post_id": UNKNOWN}, "post_id"),
        ("publish-post", {"post_id": "first"}, "post_id"),
        ("monitor-rss", {"source_id": UNKNOWN}, "source_id"),
        ("monitor-rss", {"source_id": 1, "force": True}, "force"),
        ("monitor-rss", {"source_id": 0}, "source_id"),
    ],
)
def test_bad_input_is_400_with_the_field(client, task, body, named):
    said = post(client, f"{TASKS}{task}/", body, 400)
    assert named in said["fields"] and not JobRun.objects.exists()


def test_a_post_that_went_out_a_disabled_agent_and_a_used_up_quota_are_refused(client):
    publisher, now = make_publisher("file"), timezone.now()
    gone = make_post(status="published", published_at=now)
    post(client, f"{TASKS}publish-post/", {"post_id": gone.pk, "publisher_id": publisher.pk}, 409)
    off, full = make_agent(is_enabled=False), make_agent(daily_cost=Decimal(0), daily_posts=0)
    post(client, f"{TASKS}generate-post/", {"agent_id": off.pk}, 409)
    assert post(client, f"{TASKS}generate-post/", {"agent_id": full.pk}, 402)["code"] == "quota_exceeded"
    assert not JobRun.objects.exists() and not Generation.objects.exists()


def test_polling_with_posts_at_once_needs_the_right_to_let_agents_write(client):
    poller, source = client_with("poll_source"), make_source()
    address = f"{TASKS}monitor-rss/"
    for ours in (None, False):
        post(poller, address, {"source_id": source.pk, "auto_generate": ours}, 202)
    refused = post(poller, address, {"source_id": source.pk, "auto_generate": True}, 403)
    assert "publishing.run_agent" in refused["message"]


def test_a_generation_that_is_asked_for_twice_with_one_key_is_one_run(client):
    body = {"agent_id": make_agent().pk}
    first, again = (post(client, f"{TASKS}generate-post/", body, 202, key="k") for _ in range(2))
    assert first["task_id"] == again["task_id"]


# Looking


def test_a_status_has_both_names_and_result_or_error(client):
    now = timezone.now()
    waiting = make_task(status="queued")
    done = make_task(status="succeeded", finished_at=now, result={"published": 1})
    partly = make_task(status="partial", finished_at=now, result={"published": 1}, reason="1 of 2 failed.")
    failed = make_task(status="failed", finished_at=now, error_message="It is gone.", reason="")
    told = {run.status: get(client, f"{TASKS}status/{run.pk}/") for run in (waiting, done, partly, failed)}
    assert {name: (row["status"], row["result"], row["error"]) for name, row in told.items()} == {
        "queued": ("PENDING", None, None),
        "succeeded": ("SUCCESS", {"published": 1}, None),
        "partial": ("SUCCESS", {"published": 1}, "1 of 2 failed."),
        "failed": ("FAILURE", None, "It is gone."),
    }
    assert all(row["run_status"] == name for name, row in told.items())


def test_active_tasks_are_told_from_the_ledger_with_counts_and_few_queries(
    client, django_assert_max_num_queries
):
    later = timezone.now() + timedelta(minutes=5)
    running = make_task(status="running", started_at=timezone.now(), worker="w@h")
    retrying = make_task(status="retrying", next_attempt_at=later)
    queued = [make_task(status="queued") for _ in range(3)]
    make_task(status="succeeded", finished_at=timezone.now())
    with django_assert_max_num_queries(4):
        found = get(client, f"{TASKS}active/", {"limit": 2})
    ids = {part: [row["task_id"] for row in found[part]] for part in ("active", "scheduled", "reserved")}
    assert ids == {
        "active": [str(running.pk)],
        "scheduled": [str(retrying.pk)],
        "reserved": [str(run.pk) for run in queued[:2]],
    }
    assert found["counts"] == {"active": 1, "scheduled": 1, "reserved": 3}
    assert found["scheduled"][0]["eta"] is not None and found["active"][0]["worker"] == "w@h"
    assert list(get(client, f"{TASKS}active/", {"limit": 0}, 400)["fields"]) == ["limit"]


def test_health_is_told_from_heartbeats_and_the_last_canary_without_waiting(client, monkeypatch):
    monkeypatch.setattr(health, "monitor", health.Monitor())
    now = timezone.now()
    nobody = get(client, f"{TASKS}health/")
    assert (nobody["celery_status"], nobody["workers_online"]) == ("unhealthy", 0)
    assert nobody["health_check_result"] is None
    for name, ago in (("w1@h", 1), ("w2@h", 1), ("dead@h", 600)):
        ProcessHeartbeat.objects.create(
            kind="worker", name=name, pid=1, started_at=now, seen_at=now - timedelta(seconds=ago), info={}
        )
    asked = now - timedelta(seconds=30)
    make_task(job=canary.JOB, status="succeeded", queued_at=asked, finished_at=asked + timedelta(seconds=2))
    make_task(job=canary.JOB, status="queued")
    found = get(client, f"{TASKS}health/")
    assert found["workers_online"] == 2
    last = found["health_check_result"]
    assert (last["run_status"], last["seconds"]) == ("succeeded", 2.0)
    assert {check["name"] for check in found["checks"]} == {"broker", "workers"}


# Cancelling


def test_a_waiting_task_is_cancelled_and_a_running_one_asked_to_stop(client):
    waiting, running = make_task(status="queued"), make_task(status="queued")
    ledger.claim(running.pk, worker="w@h", pid=1)
    ended = client.delete(f"{TASKS}cancel/{waiting.pk}/")
    assert (ended.status_code, ended.json()["status"]) == (200, "REVOKED")
    asked = client.delete(f"{TASKS}cancel/{running.pk}/")
    assert (asked.status_code, asked.json()["run_status"]) == (202, "running")
    assert "asked to stop" in asked.json()["message"]


def test_cancelling_what_is_unknown_is_404_and_what_has_ended_409(client):
    assert client.delete(f"{TASKS}cancel/{UNKNOWN_RUN}/").status_code == 404
    assert client.delete(f"{TASKS}cancel/nothing/").status_code == 404
    get(client, f"{TASKS}status/{UNKNOWN_RUN}/", status=404)
    done = make_task(status="succeeded", finished_at=timezone.now())
    refused = client.delete(f"{TASKS}cancel/{done.pk}/")
    assert refused.status_code == 409 and "already ended" in refused.json()["message"]


def test_tasks_of_a_group_are_seen_and_cancelled_by_its_members_only(client):
    team = Group.objects.create(name="Team")
    hidden = make_task(status="queued", owner_group=team)
    rights = ("view_jobrun", "cancel_run")
    outsider, member = client_with(*rights), client_with(*rights)
    member.user.groups.add(team)
    get(outsider, f"{TASKS}status/{hidden.pk}/", status=404)
    assert outsider.delete(f"{TASKS}cancel/{hidden.pk}/").status_code == 404
    assert get(outsider, f"{TASKS}active/")["counts"]["reserved"] == 0
    assert get(member, f"{TASKS}active/")["counts"]["reserved"] == 1
    assert get(member, f"{TASKS}status/{hidden.pk}/")["task_id"] == str(hidden.pk)
    assert member.delete(f"{TASKS}cancel/{hidden.pk}/").status_code == 200
