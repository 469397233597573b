"""What people do with agents: make, change, run. Admin and API call these."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone

from jobs import audit, schedules
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput, InvalidSchedule
from jobs.models import JobRun, Schedule
from jobs.schedules import Wish
from jobs.when import When, when_of
from publishing import quotas, writers
from publishing.models import Agent, Publisher, Source
from publishing.writers import Usage

JOB = "publishing.generate_post"

_NEEDS_PUBLISHERS = {Agent.Workflow.SCHEDULED, Agent.Workflow.AUTO}


class InvalidAgent(InvalidInput):
    """The agent cannot be like that."""


def schedule_cron(agent: Agent) -> str:
    """When the agent writes by itself, as a cron expression in its time zone; "" when it does not, or not by cron."""
    if agent.schedule is None:
        return ""
    return when_of(agent.schedule).cron or ""


def next_run_at(agent: Agent, now: datetime) -> datetime | None:
    """When the agent writes next by itself; None when it does not."""
    return schedules.next_slot_at(agent.schedule, now)


def why_not_write(agent: Agent) -> str:
    """Why its writer cannot be used here, such as a missing key; "" when it can."""
    if agent.writer not in writers.kinds():
        return f"There is no writer named “{agent.writer}” any more."
    return writers.get(agent.writer).why_not()


@transaction.atomic
def save(
    agent: Agent,
    changes: Mapping[str, Any],
    *,
    sources: list[Source] | None = None,
    publishers: list[Publisher] | None = None,
    cron: str | None = None,
    by: AbstractBaseUser | None,
) -> Agent:
    """Make or change an agent. None leaves sources, publishers or its schedule as they are; an empty `cron` ends that.

    Raises InvalidAgent naming each field.
    """
    is_new = agent.pk is None
    if not is_new:
        agent = _locked(agent)
    for name, value in changes.items():
        setattr(agent, name, value)
    try:
        agent.full_clean(exclude=["schedule"])
    except ValidationError as error:
        raise InvalidAgent(error.message_dict) from error
    agent.save()
    if sources is not None:
        agent.sources.set(sources)
    if publishers is not None:
        agent.publishers.set(publishers)
    if agent.workflow in _NEEDS_PUBLISHERS and not agent.publishers.exists():
        raise InvalidAgent({"publishers": ["Choose where its posts go out, or another workflow."]})
    _put_schedule(agent, schedule_cron(agent) if cron is None else cron.strip(), by=by)
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, agent, "Added." if is_new else "Changed.", action=action)
    return agent


def _put_schedule(agent: Agent, cron: str, *, by: AbstractBaseUser | None) -> None:
    """Give the agent the schedule of this expression; what people changed about the row otherwise stays."""
    row = None if agent.schedule is None else Schedule.objects.get(pk=agent.schedule.pk)
    try:
        if row is None and cron:
            agent.schedule = schedules.create(_wish(agent, cron), by=by)
        elif row is not None and cron:
            wish = schedules.wish_of(row)
            ours = _wish(agent, cron)
            wished = replace(wish, name=ours.name, when=ours.when, enabled=ours.enabled)
            if wished != wish:
                schedules.change(row, wished, by=by)
        elif row is not None and when_of(row).cron is not None:
            agent.schedule = None
            schedules.delete(row, by=by)
    except InvalidSchedule as error:
        renamed = {"cron": "schedule_cron", "name": "name", "timezone": "timezone"}
        raise InvalidAgent(
            {renamed.get(name, "schedule_cron"): why for name, why in error.fields.items()}
        ) from error
    agent.save(update_fields=["schedule"])


def _wish(agent: Agent, cron: str) -> Wish:
    return Wish(
        name=f"Agent: {agent.name}",
        job=JOB,
        when=When(cron=cron, timezone=agent.timezone),
        parameters={"agent_id": agent.pk},
        description=f"Lets {agent.name} write a post.",
        enabled=agent.is_enabled,
    )


def set_enabled(agent: Agent, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
    """Switch an agent on or off, and its schedule with it; what it would have written meanwhile stays unwritten."""
    with transaction.atomic():
        agent = _locked(agent)
        agent.is_enabled = is_enabled
        agent.save(update_fields=["is_enabled"])
        if agent.schedule is not None:
            schedules.set_enabled(Schedule.objects.get(pk=agent.schedule.pk), is_enabled, by=by)
        audit.record(by, agent, "Enabled." if is_enabled else "Disabled.")


def delete(agent: Agent, *, by: AbstractBaseUser | None) -> None:
    """Delete an agent that has written nothing yet. Raises IllegalState."""
    try:
        with transaction.atomic():
            row = agent.schedule
            audit.record(by, agent, "Deleted.", action=audit.DELETION)
            agent.delete()
            if row is not None:
                schedules.delete(Schedule.objects.get(pk=row.pk), by=by)
    except ProtectedError as error:
        raise IllegalState("The agent has written already; disable it instead.") from error


@transaction.atomic
def run_now(
    agent: Agent,
    *,
    topic: str = "",
    keyword: str = "",
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    idempotency_key: str | None = None,
) -> JobRun:
    """Let the agent write a post now; gives the run. Raises IllegalState, QuotaExceeded, InvalidParameters.

    The quota is looked at here only to say no at once; what counts is the look when the run begins. Whoever asks
    again with the same key gets the same run, also when that has used up the quota.
    """
    if not _was_asked(idempotency_key):
        if not agent.is_enabled:
            raise IllegalState(f"{agent} is disabled.")
        quotas.require(agent, Usage(), timezone.now())
        audit.record(by, agent, f"Asked for a post. {topic}".strip())
    return enqueue(
        get_job(JOB),
        {"agent_id": agent.pk, "topic": topic, "keyword": keyword},
        trigger=trigger,
        requested_by=by,
        idempotency_key=idempotency_key,
    )


def _was_asked(idempotency_key: str | None) -> bool:
    runs = JobRun.objects.filter(job=JOB, idempotency_key=idempotency_key)
    return idempotency_key is not None and runs.exists()


def _locked(agent: Agent) -> Agent:
    return Agent.objects.select_for_update(of=("self",)).get(pk=agent.pk)
