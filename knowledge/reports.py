"""How a run went, and telling people of it as far as the policy wants that.

A run that failed altogether is an alert of its own (`jobs.run_failed`), which is told whatever the policy says.
"""

from dataclasses import asdict, dataclass, field

from django.urls import reverse

from jobs.alerts import Subject, raise_alert, report_good
from jobs.context import ActiveRun
from jobs.definitions import find_job
from jobs.models import JobRun
from jobs.notifications.message import Fact, Section
from jobs.notifications.reports import send_report
from knowledge.models import KnowledgePolicy

#: What notification rules call the report of a run that went well, and the alert of one that did not quite.
SUCCEEDED, INCOMPLETE = "knowledge.update_succeeded", "knowledge.update_incomplete"


@dataclass
class Updated:
    """What a run brought. `papers_found` is all that the sources gave: new, updated, known, skipped and failed ones."""

    topics_searched: int = 0
    papers_found: int = 0
    #: Papers that came new or changed, and can be found by words and by meaning now.
    papers_indexed: int = 0
    new: int = 0
    updated: int = 0
    known: int = 0
    skipped: int = 0
    failed: int = 0
    #: Each with topic, source, paper (the source's name for it; empty when the source failed) and reason.
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def numbers(self) -> dict[str, int]:
        return {name: value for name, value in asdict(self).items() if isinstance(value, int)}


def tell(run: ActiveRun, result: Updated) -> None:
    """Tell how a run went, once, whatever number of attempts it takes.

    One alert for all runs of a job with the same parameters: it ends with the first of them that goes well.
    """
    policy = KnowledgePolicy.current()
    row = JobRun.objects.filter(pk=run.id).first()
    cause = f"{row.job} {row.parameters}" if row else "knowledge"
    if not run.failed_units:
        report_good(INCOMPLETE, cause, reason="An update went well.")
        if policy.tell_success:
            _report(run, row, result)
    elif run.succeeded_units and policy.tell_failure:
        raise_alert(
            INCOMPLETE,
            fingerprint=cause,
            subject=Subject(type="run", id=str(run.id), text=_title(row), link=_page(row)),
            title=f"{_title(row)}: {len(run.failed_units)} of "
            f"{len(run.failed_units) + run.succeeded_units} parts failed",
            message="\n".join(f"{name}: {reason}" for name, reason in run.failed_units.items()),
            job=row.job if row else "",
            owner_group_id=row.owner_group_id if row else None,
        )


def _report(run: ActiveRun, row: JobRun | None, result: Updated) -> None:
    facts = tuple(
        Fact(label=name.replace("_", " "), value=f"{value:,}") for name, value in result.numbers.items()
    )
    send_report(
        SUCCEEDED,
        title=f"{_title(row)}: {result.new:,} new papers",
        text=f"{result.new:,} new, {result.updated:,} updated and {result.known:,} known papers.",
        sections=[Section(title="Papers", facts=facts)],
        path=_page(row),
        data={"run": str(run.id), **result.numbers},
        key=f"{SUCCEEDED}:{run.id}",
    )


def _title(row: JobRun | None) -> str:
    job = find_job(row.job) if row else None
    return job.title if job else "An update"


def _page(row: JobRun | None) -> str:
    return reverse("admin:jobs_jobrun_change", args=[row.pk]) if row else ""
