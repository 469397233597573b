"""What updates brought in: their state while they run, and what became of each paper."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from knowledge.models.paper import Paper
from knowledge.models.research import ResearchJob
from knowledge.models.source import Source
from knowledge.models.topic import Topic


class HarvestQuerySet(models.QuerySet["Harvest"]):
    """Questions about many harvests."""

    def of_run(self, run_id: object) -> Self:
        return self.filter(run_id=run_id)


class Harvest(models.Model):
    """One query that a run puts to one source. Written as it goes, so that a killed run goes on where it was.

    States::

        open -> done       everything was read; papers that could not be stored are outcomes of their own
        open -> failed     the source could not be asked, and why

    `cursor` is where the source goes on; what came before it is stored.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    run_id = models.UUIDField(db_index=True)
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, null=True, blank=True, related_name="harvests")
    research_job = models.ForeignKey(
        ResearchJob, on_delete=models.CASCADE, null=True, blank=True, related_name="harvests"
    )
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="harvests")
    query = models.JSONField(help_text="All that the source was asked, so that a resumed run asks the same.")
    state = models.CharField(max_length=6, choices=State, default=State.OPEN)
    cursor = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0, help_text="How many papers the source has for the query.")
    problem = models.TextField(blank=True, help_text="Why it failed.")
    warnings = models.JSONField(
        default=list, blank=True, help_text="What the source said, such as a phrase it does not know."
    )
    began_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = HarvestQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run_id", "topic", "research_job", "source"],
                name="knowledge_harvest_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(topic=None) | Q(research_job=None), name="knowledge_harvest_for_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic or self.research_job or 'Known papers'} at {self.source}"


class Outcome(models.Model):
    """What became of one paper that a source gave in one harvest."""

    class Result(models.TextChoices):
        NEW = "new", "New"
        UPDATED = "updated", "Updated"
        KNOWN = "known", "Known"
        SKIPPED = "skipped", "Skipped"
        FAILED = "failed", "Failed"

    harvest = models.ForeignKey(Harvest, on_delete=models.CASCADE, related_name="outcomes")
    source_id_there = models.CharField(
        "its id there", max_length=500, help_text="The source's own name for it."
    )
    paper = models.ForeignKey(
        Paper, on_delete=models.SET_NULL, null=True, blank=True, related_name="outcomes"
    )
    result = models.CharField(max_length=7, choices=Result)
    reason = models.TextField(blank=True, help_text="Why it was skipped or failed, or what changed.")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["harvest", "source_id_there"], name="knowledge_outcome_once"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id_there}: {self.get_result_display()}"


class Finding(models.Model):
    """A paper that belongs to a topic or a research job, because a search for it has found it."""

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="findings")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, null=True, blank=True, related_name="findings")
    research_job = models.ForeignKey(
        ResearchJob, on_delete=models.CASCADE, null=True, blank=True, related_name="findings"
    )
    found_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["paper", "topic", "research_job"],
                name="knowledge_finding_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=Q(topic=None, research_job__isnull=False)
                | Q(topic__isnull=False, research_job=None),
                name="knowledge_finding_for_one",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.paper} for {self.topic or self.research_job}"
