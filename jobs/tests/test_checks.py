"""What `manage.py check` says about jobs and their settings."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from jobs import definitions
from jobs.checks import check_jobs, check_settings
from jobs.context import ActiveRun
from tests.jobs_for_tests import tasks


def undocumented(run: ActiveRun) -> None:
    return None


def test_jobs_and_settings_as_they_are_have_nothing_to_answer_for() -> None:
    assert check_jobs(None) == []
    assert check_settings(None) == []


@pytest.mark.parametrize(
    ("change", "id_"),
    [
        ({"function": undocumented}, "jobs.E001"),
        ({"queue": "nowhere"}, "jobs.E002"),
        ({"soft_time_limit": 60, "time_limit": 60}, "jobs.E003"),
        ({"soft_time_limit": 0, "time_limit": 60}, "jobs.E003"),
    ],
)
def test_a_job_that_cannot_work_is_an_error_with_a_hint(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], id_: str
) -> None:
    job = tasks.do_nothing
    monkeypatch.setitem(definitions._registry, job.name, replace(job, **change))
    (message,) = [message for message in run_checks() if (message.id or "").startswith("jobs.")]
    assert message.id == id_
    assert message.hint
    assert job.name in message.msg


@pytest.mark.parametrize("heartbeat", [15, 30])
def test_a_lease_that_one_late_heartbeat_ends_is_an_error(settings: Settings, heartbeat: float) -> None:
    settings.JOBS_LEASE_SECONDS, settings.JOBS_HEARTBEAT_SECONDS = 30, heartbeat
    (message,) = check_settings(None)
    assert message.id == "jobs.E004"
