"""System checks of the jobs: what `manage.py check` says about definitions and settings."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from jobs import secrets
from jobs.definitions import AnyJob, all_jobs


@register
def check_jobs(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Every job has help, a queue that workers know, and limits that make sense."""
    return [message for job in all_jobs() for message in _check_job(job)]


@register
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """The lease outlasts a late heartbeat."""
    if settings.JOBS_LEASE_SECONDS > 2 * settings.JOBS_HEARTBEAT_SECONDS:
        return []
    return [
        Error(
            "A run would be taken for lost when one heartbeat is late: JOBS_LEASE_SECONDS "
            f"({settings.JOBS_LEASE_SECONDS:g}) is not more than twice JOBS_HEARTBEAT_SECONDS "
            f"({settings.JOBS_HEARTBEAT_SECONDS:g}).",
            hint="Make the lease several heartbeats long.",
            id="jobs.E004",
        )
    ]


@register
def check_secrets_keys(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """There is a key to encrypt secrets with."""
    problem = secrets.key_problem()
    if problem is None:
        return []
    hint = (
        "Make a key with "
        """`python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`."""
    )
    return [Error(problem, hint=hint, id="jobs.E020")]


def _check_job(job: AnyJob) -> Iterator[CheckMessage]:
    if not job.help_text.strip():
        yield Error(
            f"{job.name} has no docstring.",
            hint="Say in a sentence what it does: forms and the API show it as help.",
            obj=job.function,
            id="jobs.E001",
        )
    if job.queue not in settings.JOBS_QUEUES:
        yield Error(
            f"{job.name} goes to the queue {job.queue!r}, which no worker reads.",
            hint=f"Use one of JOBS_QUEUES: {', '.join(settings.JOBS_QUEUES)}.",
            obj=job.function,
            id="jobs.E002",
        )
    if not 0 < job.soft_time_limit < job.time_limit:
        yield Error(
            f"The soft time limit of {job.name} ({job.soft_time_limit:g} s) is not between zero and its hard one "
            f"({job.time_limit:g} s): its body would be killed without a chance to tidy up.",
            hint="Leave the body some time between soft_time_limit and time_limit.",
            obj=job.function,
            id="jobs.E003",
        )
