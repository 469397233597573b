"""Research jobs and their runs as the API shows them."""

from datetime import datetime
from typing import Any, ClassVar

from django.utils import timezone
from rest_framework import serializers

from jobs.api import tasks
from jobs.models import JobRun
from knowledge import research, research_history
from knowledge.chunking import Mode
from knowledge.models import ResearchJob
from knowledge.research_history import STATES, Counts

#: What keeps vectors here.
VECTOR_STORE = "pgvector"
#: How papers are cut, for documents.
MODES = [(mode.value, mode.name) for mode in Mode]


class ResearchJobSerializer(serializers.ModelSerializer[ResearchJob]):
    cron_expression = serializers.SerializerMethodField(help_text="null: it runs by an interval.")
    interval_hours = serializers.SerializerMethodField(help_text="null: it runs by a cron expression.")
    enabled = serializers.BooleanField(source="is_enabled")
    max_papers_per_run = serializers.IntegerField(source="max_papers")
    embedding_provider = serializers.SerializerMethodField(help_text="What makes vectors, of all jobs.")
    embedding_model = serializers.SerializerMethodField(
        help_text="Whose vectors are searched; empty: none yet."
    )
    vector_db_provider = serializers.SerializerMethodField(help_text="What keeps vectors, of all jobs.")
    mode = serializers.ChoiceField(choices=MODES, help_text="How finely its papers are cut into passages.")
    schedule = serializers.IntegerField(source="schedule_id", allow_null=True)
    next_run_at = serializers.SerializerMethodField(help_text="When it runs next by itself.")
    updated_at = serializers.DateTimeField(source="changed_at")

    class Meta:
        model = ResearchJob
        fields: ClassVar[list[str]] = [
            "id", "name", "keywords", "sources", "cron_expression", "interval_hours", "enabled", "max_papers_per_run",
            "days_back", "mode", "embedding_provider", "embedding_model", "vector_db_provider", "schedule", "next_run_at",
            "created_at", "updated_at",
        ]  # fmt: skip
        read_only_fields = fields

    def get_cron_expression(self, job: ResearchJob) -> str | None:
        return research.cron_of(job) or None

    def get_interval_hours(self, job: ResearchJob) -> int | None:
        return research.hours_of(job)

    def get_embedding_provider(self, job: ResearchJob) -> str:
        return str(self.context["embedder"])

    def get_embedding_model(self, job: ResearchJob) -> str:
        return str(self.context["model"])

    def get_vector_db_provider(self, job: ResearchJob) -> str:
        return VECTOR_STORE

    def get_next_run_at(self, job: ResearchJob) -> datetime | None:
        return research.next_run_at(job, timezone.now())


class ResearchRunSerializer(serializers.Serializer[Any]):
    job_run_id = serializers.UUIDField(help_text="Of the run, and of its Celery task.")
    task_id = serializers.UUIDField()
    job_id = serializers.IntegerField(allow_null=True, help_text="Of the research job.")
    job_name = serializers.CharField(allow_null=True, help_text="null: the job is gone.")
    status = serializers.ChoiceField(choices=STATES)
    run_status = serializers.ChoiceField(choices=JobRun.Status.choices, help_text="Ours, which tells more.")
    queued_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    progress_percentage = serializers.IntegerField()
    current_step = serializers.CharField()
    manual_trigger = serializers.BooleanField(help_text="Somebody asked for it; else its schedule did.")
    user_params = serializers.DictField()
    papers_found = serializers.IntegerField(help_text="All that sources gave.")
    papers_processed = serializers.IntegerField(help_text="New and changed ones.")
    papers_skipped = serializers.IntegerField(help_text="Those that were here already.")
    papers_embedded = serializers.IntegerField(help_text="Processed ones that have all their vectors.")
    embedding_errors = serializers.IntegerField()
    vector_db_errors = serializers.IntegerField(help_text="Papers that could not be stored.")
    error_message = serializers.CharField(allow_null=True)


class ResearchLogLineSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    level = serializers.IntegerField()
    message = serializers.CharField()


class ResearchRunDetailSerializer(ResearchRunSerializer):
    result = serializers.JSONField(allow_null=True)
    execution_log = ResearchLogLineSerializer(
        many=True, help_text="The latest 200 lines; all of them are at `runs/{id}/logs/`."
    )


class ResearchTaskSerializer(serializers.Serializer[Any]):
    task_id = serializers.UUIDField()
    status = serializers.CharField(help_text="Celery's name of its state, such as PROGRESS or SUCCESS.")
    progress = serializers.IntegerField(help_text="Percent.")
    description = serializers.CharField()
    current = serializers.IntegerField(help_text="Units of the present step that are done.")
    total = serializers.IntegerField(help_text="Units of the present step; 0: not known.")
    elapsed_time = serializers.FloatField(help_text="Seconds.")
    estimated_remaining = serializers.FloatField(help_text="Seconds, if it goes on as it has.")
    job_run_id = serializers.UUIDField()
    job_id = serializers.IntegerField(allow_null=True)
    progress_percentage = serializers.IntegerField()
    current_step = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    timestamp = serializers.DateTimeField()


class ResearchErrorsSerializer(serializers.Serializer[Any]):
    embedding_errors = serializers.IntegerField()
    vector_db_errors = serializers.IntegerField()


class ResearchProgressSerializer(ResearchTaskSerializer):
    db_progress = serializers.FloatField(help_text="Percent, as the ledger has it.")
    papers_found = serializers.IntegerField()
    papers_processed = serializers.IntegerField()
    papers_skipped = serializers.IntegerField()
    papers_embedded = serializers.IntegerField()
    errors = ResearchErrorsSerializer()  # type: ignore[assignment]  # a field of that name is what clients see


def rows(runs: list[JobRun]) -> list[dict[str, Any]]:
    """Runs as `ResearchRunSerializer` shows them: some statements, however many there are."""
    counted = research_history.counts(runs)
    jobs = {job for run in runs if (job := job_of(run)) is not None}
    names = dict(ResearchJob.objects.filter(pk__in=jobs).values_list("pk", "name"))
    return [_row(run, names, counted.get(run.pk, Counts())) for run in runs]


def _row(run: JobRun, names: dict[int, str], found: Counts) -> dict[str, Any]:
    job = job_of(run)
    return {
        "job_run_id": run.pk,
        "task_id": run.pk,
        "job_id": job,
        "job_name": names.get(job) if job is not None else None,
        "status": research_history.WORDS[JobRun.Status(run.status)],
        "run_status": run.status,
        "queued_at": run.queued_at,
        "started_at": run.started_at,
        "completed_at": run.finished_at,
        "progress_percentage": int(run.progress),
        "current_step": run.progress_text,
        "manual_trigger": run.trigger != JobRun.Trigger.SCHEDULE,
        "user_params": run.parameters,
        **papers(found),
        **errors(found),
        "error_message": tasks.failure(run),
    }


def papers(found: Counts) -> dict[str, int]:
    """Counts of papers by the API's names."""
    return {
        "papers_found": found.papers_found,
        "papers_processed": found.papers_processed,
        "papers_skipped": found.papers_skipped,
        "papers_embedded": found.papers_embedded,
    }


def errors(found: Counts) -> dict[str, int]:
    """Counts of errors by the API's names."""
    return {"embedding_errors": found.embedding_errors, "vector_db_errors": found.storing_errors}


def task(run: JobRun, now: datetime) -> dict[str, Any]:
    """A run as `ResearchTaskSerializer` shows it."""
    state = tasks.state(run, now)
    return {
        **state,
        "job_run_id": run.pk,
        "job_id": job_of(run),
        "progress_percentage": state["progress"],
        "current_step": run.progress_text,
        "started_at": run.started_at,
        "completed_at": run.finished_at,
        "timestamp": now,
    }


def job_of(run: JobRun) -> int | None:
    """The id of the research job that the run is of."""
    job = run.parameters.get("research_job_id")
    return job if isinstance(job, int) else None
