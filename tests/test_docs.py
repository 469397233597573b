"""The documents that show code are executed."""

import re
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

from jobs import definitions, runner
from jobs.alerts import kinds
from jobs.models import Alert, JobRun

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def forget_new_jobs(monkeypatch):
    """Jobs that the test registers are gone after it."""
    monkeypatch.setattr(definitions, "_registry", dict(definitions._registry))
    yield
    current_app.tasks.pop("publishing.count_words", None)


@pytest.mark.django_db(transaction=True)
def test_the_page_on_adding_a_job_works_as_written(forget_new_jobs, flush_broker):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-job.md").read_text(), re.DOTALL)
    namespace = {"__name__": "publishing.tasks_of_the_page"}
    for block in blocks:
        exec(compile(block, "add-a-job.md", "exec"), namespace)
    run = JobRun.objects.get(job="publishing.count_words")
    task = current_app.tasks["publishing.count_words"]
    task.push_request(id=str(run.id), hostname="test", ledger=True, called_directly=False)
    try:
        result = runner.execute(task, (), {})
    finally:
        task.pop_request()
    assert result == {"to be or not to be": 6}
    run.refresh_from_db()
    assert run.status == JobRun.Status.SUCCEEDED


def test_every_link_in_the_documents_leads_somewhere():
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_file_that_the_architecture_page_names_exists():
    text = (ROOT / "docs/architecture.md").read_text()
    for name in re.findall(r"`((?:jobs|config|chat|publishing|knowledge)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name


@pytest.fixture
def forget_new_kinds(monkeypatch):
    """Kinds of alerts that the test registers are gone after it."""
    monkeypatch.setattr(kinds, "_registry", dict(kinds._registry))


@pytest.mark.django_db
def test_the_page_on_alerts_works_as_written(forget_new_kinds):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/alerts.md").read_text(), re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(compile(block, "alerts.md", "exec"), namespace)
    for is_good, state in ((False, "pending"), (False, "pending"), (False, "open"), (True, "resolved")):
        namespace["polled"](7, "Echo", is_good=is_good)
        assert Alert.objects.get().state == state


def test_the_page_on_alerts_names_every_kind_of_the_control_plane_and_no_other():
    named = re.findall(r"^\| `(jobs\.\w+)`", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE)
    assert sorted(named) == [kind.name for kind in kinds.all_kinds() if kind.app_label == "jobs"]


def test_every_file_that_the_comparison_names_exists():
    for name in re.findall(
        r"`((?:jobs|tests|accounts|docs)/[\w/.-]+)`", (ROOT / "docs/comparison.md").read_text()
    ):
        assert (ROOT / name).exists(), name
