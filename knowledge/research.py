"""What people do with research jobs: make, change, run. Admin and API call these."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from jobs import audit, schedules
from jobs.definitions import enqueue, get_job
from jobs.errors import InvalidSchedule
from jobs.models import JobRun
from jobs.schedules import Wish
from jobs.when import When, when_of
from knowledge import connectors, research_runs, timetables
from knowledge.connectors import Query
from knowledge.errors import InvalidResearchJob, QueryRejected, UnknownConnector
from knowledge.models import ResearchJob, Source

JOB = "knowledge.execute_research_job"

MOST_HOURS = 24 * 366


def cron_of(job: ResearchJob) -> str:
    """When it runs by itself, as a cron expression; "" when it does so by an interval, or not at all."""
    return timetables.cron_of(job.schedule)


def hours_of(job: ResearchJob) -> int | None:
    """Every how many hours it runs by itself; None when it does so by a cron expression, or not at all."""
    return timetables.hours_of(job.schedule)


def next_run_at(job: ResearchJob, now: datetime) -> datetime | None:
    """When it runs next by itself; None when it does not."""
    return schedules.next_slot_at(job.schedule, now) if job.is_enabled else None


@transaction.atomic
def save(
    job: ResearchJob,
    changes: Mapping[str, Any],
    *,
    sources: Sequence[Source] | None = None,
    cron: str | None = None,
    interval_hours: int | None = None,
    by: AbstractBaseUser | None,
) -> ResearchJob:
    """Make or change a research job: it runs by a cron expression or every so many hours, never both.

    A new one needs one of the two; a change without either leaves the schedule as it is. `sources` None leaves them
    as they are. Raises InvalidResearchJob naming each field.
    """
    is_new = job.pk is None
    if not is_new:
        job = _locked(job)
    for name, value in changes.items():
        setattr(job, name, value)
    job.name = " ".join(str(job.name).split())
    job.keywords = _cleaned(job.keywords)
    when = _when((cron or "").strip(), interval_hours, is_needed=is_new or job.schedule is None or cron == "")
    _check(job, sources, is_new=is_new)
    job.save()
    if sources is not None:
        job.sources.set(sources)
    _put_schedule(job, when, by=by)
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, job, "Added." if is_new else "Changed.", action=action)
    return job


def _cleaned(keywords: object) -> list[str]:
    """The keywords without blanks, each once."""
    given = keywords if isinstance(keywords, (list, tuple)) else []
    return list(dict.fromkeys(words for words in (" ".join(str(one).split()) for one in given) if words))


def _when(cron: str, hours: int | None, *, is_needed: bool) -> When | None:
    """None: as it is. Raises InvalidResearchJob naming both fields."""
    if cron and hours is not None:
        why = ["Give a cron expression or an interval, not both."]
        raise InvalidResearchJob({"cron": why, "interval_hours": why})
    if not cron and hours is None:
        if not is_needed:
            return None
        why = ["Give a cron expression or an interval."]
        raise InvalidResearchJob({"cron": why, "interval_hours": why})
    if hours is None:
        return When(cron=cron)
    if not 1 <= hours <= MOST_HOURS:
        raise InvalidResearchJob({"interval_hours": [f"Use 1 to {MOST_HOURS:,} hours."]})
    return timetables.every(hours)


def _check(job: ResearchJob, sources: Sequence[Source] | None, *, is_new: bool) -> None:
    problems: dict[str, list[str]] = {}
    try:
        job.full_clean(exclude=["schedule", "sources"])
    except ValidationError as error:
        problems |= error.message_dict
    chosen = list(sources) if sources is not None else [] if is_new else list(job.sources.all())
    if not chosen:
        problems["sources"] = ["Choose at least one source."]
    refused = [f"{source}: {why}" for source in chosen if (why := _why_not(source, job.keywords))]
    if refused and "keywords" not in problems:
        problems["keywords"] = refused
    if problems:
        raise InvalidResearchJob(problems)


def _why_not(source: Source, keywords: list[str]) -> str:
    try:
        connectors.get(source.connector).checked(Query(text=research_runs.either(keywords)))
    except (QueryRejected, UnknownConnector) as error:
        return str(error)
    return ""


def _put_schedule(job: ResearchJob, when: When | None, *, by: AbstractBaseUser | None) -> None:
    row = job.schedule
    if when is None:
        if row is None:
            return
        when = when_of(row)
    try:
        job.schedule = timetables.put(row, _wish(job, when), by=by)
    except InvalidSchedule as error:
        field = "interval_hours" if when.interval is not None else "cron"
        problems = {"name" if name == "name" else field: why for name, why in error.fields.items()}
        raise InvalidResearchJob(problems) from error
    job.save(update_fields=["schedule"])


def _wish(job: ResearchJob, when: When) -> Wish:
    return Wish(
        name=f"Research: {job.name}"[:200],
        job=JOB,
        when=when,
        parameters={"research_job_id": job.pk},
        description=f"Looks for papers for {job.name}.",
        enabled=job.is_enabled,
    )


def set_enabled(job: ResearchJob, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
    """Switch a research job on or off, and its schedule with it; what it would have looked for meanwhile stays undone."""
    with transaction.atomic():
        job = _locked(job)
        job.is_enabled = is_enabled
        job.save(update_fields=["is_enabled"])
        timetables.set_enabled(job.schedule, is_enabled, by=by)
        audit.record(by, job, "Enabled." if is_enabled else "Disabled.")


@transaction.atomic
def run(
    job: ResearchJob,
    *,
    force_reprocess: bool = False,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger = JobRun.Trigger.API,
    idempotency_key: str | None = None,
) -> JobRun:
    """Let it look for papers now; gives the run. With `force_reprocess` known papers are stored and cut anew, too.

    Also one that is disabled: that means not by itself. Whoever asks again with the same key gets the same run.
    """
    audit.record(by, job, "Asked for a run" + (" that takes known papers anew." if force_reprocess else "."))
    return enqueue(
        get_job(JOB),
        {"research_job_id": job.pk, "force_reprocess": force_reprocess},
        trigger=trigger,
        requested_by=by,
        idempotency_key=idempotency_key,
    )


@transaction.atomic
def delete(job: ResearchJob, *, by: AbstractBaseUser | None) -> None:
    """Delete a research job with its history and its schedule; its papers stay, though cleaning may take them later."""
    row = job.schedule
    audit.record(by, job, "Deleted.", action=audit.DELETION)
    job.delete()
    timetables.delete(row, by=by)


def _locked(job: ResearchJob) -> ResearchJob:
    return ResearchJob.objects.select_for_update(of=("self",)).get(pk=job.pk)
