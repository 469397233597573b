"""Carrying out research jobs: what sources have on some keywords, the newest and the most relevant."""

from datetime import timedelta

from jobs.context import ActiveRun
from jobs.errors import PermanentError
from knowledge import updates
from knowledge.chunking import Mode
from knowledge.connectors import Query, Window
from knowledge.harvests import Order, Plan
from knowledge.models import Harvest, ResearchJob
from knowledge.reports import Updated

#: What counts as trending, and how many such papers are taken at most.
TRENDING, MOST_TRENDING = timedelta(days=7), 20


class UnknownResearchJob(PermanentError):
    """There is no research job of that id."""


def execute(run: ActiveRun, research_job_id: int, *, force_reprocess: bool = False) -> Updated:
    """Search the job's sources for its keywords, and store what they have. Nothing new is a success, too.

    Papers that are here already are left as they are; with `force_reprocess` they are cut into passages and embedded anew.
    """
    job = ResearchJob.objects.filter(pk=research_job_id).first()
    if job is None:
        raise UnknownResearchJob(f"There is no research job {research_job_id}.")
    run.step("Fetching")
    plans = [] if Harvest.objects.of_run(run.id).exists() else plan(job, again=force_reprocess)
    return updates.carry_out(run, plans)


def plan(job: ResearchJob, *, again: bool = False) -> list[Plan]:
    """A harvest for each enabled source: its share of the job's papers. Raises NothingToAsk without a source."""
    sources = list(job.sources.enabled().order_by("pk"))
    if not sources:
        raise updates.NothingToAsk(f"No source of {job} is enabled: there is nobody to ask.")
    shares = [job.max_papers // len(sources)] * len(sources)
    for number in range(job.max_papers % len(sources)):
        shares[number] += 1
    text = either(job.keywords)
    today = updates.today()
    plans = []
    for source, share in zip(sources, shares, strict=True):
        if share == 0:  # more sources than papers
            continue
        addresses = tuple(source.addresses)
        trending = min(MOST_TRENDING, share // 2)
        queries = [
            Query(text, Window(today - TRENDING), max_results=trending, addresses=addresses),
            Query(
                text,
                Window(today - timedelta(days=job.days_back)),
                max_results=share,
                order="relevance",
                addresses=addresses,
            ),
        ]
        order = Order(
            tuple(queries if trending else queries[1:]), most=share, mode=Mode(job.mode), again=again
        )
        plans.append(Plan(source, order, research_job=job))
    return plans


def either(keywords: list[str]) -> str:
    """A query for any of the keywords, each taken as a phrase."""
    phrases = [" ".join(keyword.replace('"', " ").split()) for keyword in keywords]
    return " OR ".join(f'"{phrase}"' for phrase in phrases if phrase)
