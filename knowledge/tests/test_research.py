"""Research jobs: made, changed and run by people; by a cron expression or an interval, never both."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import AuditEvent, JobRun, Schedule
from knowledge import research
from knowledge.errors import InvalidResearchJob
from knowledge.models import ResearchJob, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def pubmed() -> Source:
    return Source.objects.create(name="PubMed", connector="pubmed")


def made(source: Source, **said: Any) -> ResearchJob:
    given: dict[str, Any] = {
        "cron": said.pop("cron", None),
        "interval_hours": said.pop("interval_hours", None),
    }
    if given == {"cron": None, "interval_hours": None}:
        given["interval_hours"] = 6
    sources = said.pop("sources", [source])
    changes = {"name": "Insulin", "keywords": ["insulin", "islet cells"], **said}
    return research.save(ResearchJob(), changes, sources=sources, **given, by=None)


def problems_of(error: pytest.ExceptionInfo[InvalidResearchJob]) -> dict[str, str]:
    return {name: " ".join(reasons) for name, reasons in error.value.fields.items()}


def test_a_research_job_by_interval_has_a_schedule(pubmed: Source) -> None:
    job = made(pubmed, interval_hours=6)

    row = Schedule.objects.get()
    assert (row.task, row.kwargs) == (
        "knowledge.execute_research_job",
        f'{{"force_reprocess": false, "research_job_id": {job.pk}}}',
    )
    assert (research.hours_of(job), research.cron_of(job)) == (6, "")


def test_a_research_job_by_cron_has_a_schedule(pubmed: Source) -> None:
    job = made(pubmed, cron="0 4 * * mon")

    assert (research.hours_of(job), research.cron_of(job)) == (None, "0 4 * * mon")
    at = research.next_run_at(job, datetime(2026, 3, 3, tzinfo=UTC))
    assert at == datetime(2026, 3, 9, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cron": "0 4 * * *", "interval_hours": 6}, "not both"),
        ({}, "a cron expression or an interval."),
        ({"cron": " "}, "a cron expression or an interval."),
    ],
)
def test_both_or_neither_is_refused_at_both_fields(pubmed: Source, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidResearchJob) as error:
        research.save(ResearchJob(), {"name": "x", "keywords": ["y"]}, sources=[pubmed], **given, by=None)

    found = problems_of(error)
    assert list(found) == ["cron", "interval_hours"]
    assert all(said in why for why in found.values())
    assert not ResearchJob.objects.exists()


@pytest.mark.parametrize("hours", [0, -1, 24 * 366 + 1])
def test_an_interval_out_of_range_is_refused(pubmed: Source, hours: int) -> None:
    with pytest.raises(InvalidResearchJob) as error:
        made(pubmed, interval_hours=hours)
    assert list(problems_of(error)) == ["interval_hours"]


def test_a_bad_expression_is_refused_at_its_field(pubmed: Source) -> None:
    with pytest.raises(InvalidResearchJob) as error:
        made(pubmed, cron="61 * * * *")
    assert list(problems_of(error)) == ["cron"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"keywords": []}, ["keywords"]),
        ({"keywords": ["  "]}, ["keywords"]),
        ({"keywords": ["x" * 190] * 1 + [f"{number} {'x' * 190}" for number in range(25)]}, ["keywords"]),
        ({"keywords": ["x" * 201]}, ["keywords"]),
        ({"name": " "}, ["name"]),
        ({"max_papers": 0}, ["max_papers"]),
        ({"max_papers": 1001}, ["max_papers"]),
        ({"days_back": 0}, ["days_back"]),
        ({"mode": "hasty"}, ["mode"]),
        ({"sources": []}, ["sources"]),
    ],
)
def test_what_does_not_fit_is_refused_by_field(
    pubmed: Source, changes: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(InvalidResearchJob) as error:
        made(pubmed, **changes)
    assert list(problems_of(error)) == fields
    assert not ResearchJob.objects.exists() and not Schedule.objects.exists()


def test_a_change_without_timing_leaves_the_schedule_as_it_is(pubmed: Source) -> None:
    job = made(pubmed, cron="0 4 * * *")

    research.save(job, {"name": "Insulin and diabetes"}, by=None)

    row = Schedule.objects.get()
    assert row.name == "Research: Insulin and diabetes"
    assert research.cron_of(ResearchJob.objects.get()) == "0 4 * * *"


def test_an_interval_replaces_a_cron_expression(pubmed: Source) -> None:
    job = made(pubmed, cron="0 4 * * *")

    job = research.save(job, {}, interval_hours=12, by=None)

    assert (research.cron_of(job), research.hours_of(job)) == ("", 12)
    assert Schedule.objects.count() == 1


def test_the_last_timing_cannot_be_taken_away(pubmed: Source) -> None:
    job = made(pubmed, cron="0 4 * * *")
    with pytest.raises(InvalidResearchJob):
        research.save(job, {}, cron="", by=None)
    assert research.cron_of(ResearchJob.objects.get()) == "0 4 * * *"


def test_keywords_are_kept_once_and_trimmed(pubmed: Source) -> None:
    assert made(pubmed, keywords=[" insulin ", "islet  cells", "insulin"]).keywords == [
        "insulin",
        "islet cells",
    ]


def test_running_one_queues_its_run_and_tells(pubmed: Source, admin_user: Any) -> None:
    job = made(pubmed)

    run = research.run(job, force_reprocess=True, by=admin_user)

    assert run.parameters == {"research_job_id": job.pk, "force_reprocess": True}
    assert (
        AuditEvent.objects.get(subject="Insulin").message == "Asked for a run that takes known papers anew."
    )


def test_a_disabled_one_runs_only_when_somebody_asks(pubmed: Source) -> None:
    job = made(pubmed)

    research.set_enabled(job, False, by=None)

    assert not Schedule.objects.get().enabled
    assert research.next_run_at(ResearchJob.objects.get(), timezone.now()) is None
    assert research.run(job, by=None).trigger == JobRun.Trigger.API


def test_deleting_one_deletes_its_schedule(pubmed: Source, admin_user: Any) -> None:
    research.delete(made(pubmed), by=admin_user)

    assert not ResearchJob.objects.exists() and not Schedule.objects.exists()
    assert Source.objects.exists()
