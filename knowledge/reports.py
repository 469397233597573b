"""How a run went, and telling people of it as far as the policy wants that.

A run that failed altogether is an alert of its own (`jobs.run_failed`), which is told whatever the policy says.
"""

from dataclasses import asdict, dataclass, field

from django.urls import reverse

from jobs.context import ActiveRun
from jobs.definitions import find_job
from jobs.models import JobRun
from jobs.notifications.message import Fact, Section
from jobs.notifications.reports import send_report
from knowledge.models import KnowledgePolicy

#: What notification rules call the reports.
SUCCEEDED, FAILED_IN_PART = "knowledge.update_succeeded", "knowledge.update_failed_in_part"


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
    #: Vectors that had to be made by the run itself; a worker of the queue `processing` may have made others.
    passages_embedded: int = 0
    #: Each with topic, source, paper (the source's name for it; empty when the source failed) and reason.
    errors: list[dict[str, str]] = field(default_factory=list)


def tell(run: ActiveRun, result: Updated) -> None:
    """Send the report of a run once, whatever number of attempts it takes."""
    policy = KnowledgePolicy.current()
    if run.failed_units and run.succeeded_units and policy.tell_failure:
        _send(run, result, FAILED_IN_PART)
    elif not run.failed_units and policy.tell_success:
        _send(run, result, SUCCEEDED)


def _send(run: ActiveRun, result: Updated, kind: str) -> None:
    row = JobRun.objects.filter(pk=run.id).first()
    job = find_job(row.job) if row else None
    has_failed = kind == FAILED_IN_PART
    numbers = {name: value for name, value in asdict(result).items() if isinstance(value, int)}
    sections = [
        Section(
            title="Papers",
            facts=tuple(
                Fact(label=name.replace("_", " "), value=f"{value:,}") for name, value in numbers.items()
            ),
        )
    ]
    if has_failed:
        reasons = "\n".join(f"{name}: {reason}" for name, reason in run.failed_units.items())
        sections.append(Section(title="What failed", text=reasons))
    send_report(
        kind,
        title=f"{job.title if job else 'Update'}: {'partly failed' if has_failed else 'done'}, {result.new:,} new papers",
        text=f"{result.new:,} new, {result.updated:,} updated and {result.known:,} known papers.",
        sections=sections,
        severity="medium" if has_failed else "low",
        path=reverse("admin:jobs_jobrun_change", args=[run.id]) if row else "",
        data={"run": str(run.id), **numbers},
        key=f"{kind}:{run.id}",
    )
