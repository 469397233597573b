"""Agents and their schedules: what people set in one place is so in the other."""

import json
from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from jobs import schedules
from jobs.errors import IllegalState
from jobs.models import AuditEvent, JobRun, Schedule
from jobs.when import When
from publishing import agents
from publishing.agents import InvalidAgent
from publishing.errors import QuotaExceeded
from publishing.models import Agent, Generation
from publishing.tests.factories import make_agent, make_publisher, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor():
    return User.objects.create_user("editor")


def made(by=None, cron="0 7 * * *", **changes) -> Agent:
    return agents.save(Agent(), {"name": "Harbour", "timezone": "Europe/Warsaw", **changes}, cron=cron, by=by)


def row_of(agent: Agent) -> Schedule:
    row: Schedule = Schedule.objects.get(agent=agent)
    return row


def test_a_cron_expression_becomes_a_schedule_of_the_job_in_the_time_zone_of_the_agent():
    agent = made()
    row = row_of(agent)
    assert (row.task, json.loads(row.kwargs)["agent_id"]) == ("publishing.generate_post", agent.pk)
    assert str(row.crontab.timezone) == "Europe/Warsaw" and row.enabled
    assert agents.schedule_cron(agent) == "0 7 * * *"


def test_a_changed_expression_or_time_zone_or_name_changes_the_same_schedule():
    agent = made()
    before = row_of(agent).pk
    agents.save(agent, {"name": "Port", "timezone": "UTC"}, cron="30 6 * * 1", by=None)
    row = row_of(agent)
    assert (row.pk, row.name, str(row.crontab.timezone)) == (before, "Agent: Port", "UTC")
    assert agents.schedule_cron(Agent.objects.get()) == "30 6 * * 1"


def test_what_an_operator_changed_about_the_schedule_stays():
    agent = made()
    row = row_of(agent)
    wish = schedules.wish_of(row)
    schedules.change(row, replace(wish, when=When(cron="5 5 * * *"), catch_up="skip"), by=None)
    agents.save(Agent.objects.get(), {"tone": "dry"}, by=None)
    assert schedules.wish_of(row_of(agent)).catch_up == "skip"
    assert agents.schedule_cron(Agent.objects.get()) == "5 5 * * *"


def test_without_an_expression_the_schedule_goes():
    agent = made()
    agent = agents.save(agent, {}, cron="", by=None)
    assert agent.schedule is None and not Schedule.objects.filter(task=agents.JOB).exists()


def test_a_schedule_that_somebody_deleted_is_made_again_when_asked_for():
    agent = made()
    row_of(agent).delete()
    agent = agents.save(Agent.objects.get(), {}, cron="0 8 * * *", by=None)
    assert agents.schedule_cron(agent) == "0 8 * * *"


@pytest.mark.parametrize(
    ("changes", "cron", "field"),
    [
        ({}, "61 * * * *", "schedule_cron"),
        ({"timezone": "Mars/Olympus"}, "", "timezone"),
        ({"writer": "monkeys"}, "", "writer"),
        ({"length": "endless"}, "", "length"),
        ({"workflow": "auto"}, "", "publishers"),
        ({"name": ""}, "", "name"),
        ({"max_items": 0}, "", "max_items"),
        ({"daily_cost": -1}, "", "daily_cost"),
    ],
)
def test_an_agent_that_cannot_be_is_refused_by_field_and_nothing_is_kept(changes, cron, field):
    with pytest.raises(InvalidAgent) as refused:
        made(cron=cron, **changes)
    assert list(refused.value.fields) == [field]
    assert not Agent.objects.exists() and not Schedule.objects.filter(task=agents.JOB).exists()


def test_enabling_and_disabling_an_agent_does_so_to_its_schedule(editor):
    agent = made()
    agents.set_enabled(agent, False, by=editor)
    assert not row_of(agent).enabled and not Agent.objects.get().is_enabled
    with pytest.raises(IllegalState, match="disabled"):
        agents.run_now(Agent.objects.get(), by=editor, trigger=JobRun.Trigger.API)
    agents.set_enabled(agent, True, by=editor)
    assert row_of(agent).enabled
    told = set(AuditEvent.objects.filter(user=editor).values_list("message", flat=True))
    assert {"Enabled.", "Disabled."} <= told


def test_running_an_agent_queues_its_job(editor):
    agent = make_agent()
    run = agents.run_now(agent, topic="Tides", by=editor, trigger=JobRun.Trigger.API)
    assert (run.job, run.queue, run.requested_by) == ("publishing.generate_post", "generation", editor)
    assert run.parameters == {"agent_id": agent.pk, "topic": "Tides", "keyword": "", "item_id": None}


def test_without_room_in_its_quota_an_agent_is_not_even_queued(editor):
    agent = make_agent(daily_posts=0)
    with pytest.raises(QuotaExceeded, match="0 posts a day"):
        agents.run_now(agent, by=editor, trigger=JobRun.Trigger.API)
    assert not JobRun.objects.filter(job=agents.JOB).exists()


def test_an_agent_that_has_written_is_not_deleted_one_that_has_not_goes_with_its_schedule(editor):
    agent = made()
    agents.delete(agent, by=editor)
    assert not Agent.objects.exists() and not Schedule.objects.filter(task=agents.JOB).exists()
    writing = make_agent()
    Generation.objects.create(agent=writing, writer="digest", brief={}, began_at=writing.created_at)
    with pytest.raises(IllegalState, match="disable it instead"):
        agents.delete(writing, by=editor)
    assert Agent.objects.filter(pk=writing.pk).exists()


def test_sources_and_publishers_that_are_not_named_stay():
    publisher, source = make_publisher("file"), make_source()
    agent = agents.save(
        Agent(), {"name": "A", "workflow": "auto"}, sources=[source], publishers=[publisher], by=None
    )
    agents.save(agent, {"tone": "dry"}, by=None)
    assert (agent.sources.get(), agent.publishers.get()) == (source, publisher)
    with pytest.raises(InvalidAgent):
        agents.save(agent, {}, publishers=[], by=None)
    assert agent.publishers.get() == publisher
