"""A night whose workers are killed again and again ends as one that nothing befalls. In the process itself this is
`knowledge/tests/test_interrupted_updates.py`."""

import random
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from jobs.definitions import get_job
from jobs.models import JobRun
from knowledge.models import Embedding, KnowledgePolicy
from knowledge.tests import nights, services, snapshots
from knowledge.tests.literature import Literature
from knowledge.tests.services import Services
from tests.chaos.world import Worker, World, eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.chaos]

KILLS = 10
_TABLES = (
    "knowledge_topic", "knowledge_source", "knowledge_harvest", "knowledge_paper", "knowledge_part",
    "knowledge_sparsesegment",
)  # fmt: skip


@pytest.fixture
def stand_ins(world: World) -> Iterator[Services]:
    """The services with four papers on each of eight topics; nothing of them is left behind."""
    literature = Literature()
    nights.fill(literature, per_topic=4)
    with services.running(literature) as running:
        begin_again()
        yield running
        world.stop_workers()
        begin_again()


def begin_again() -> None:
    """Topics and sources, and not one paper."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)} CASCADE")
    KnowledgePolicy.objects.all().delete()
    nights.set_up()


def settings_for(stand_ins: Services) -> dict[str, Any]:
    """What a worker needs to take the stand-ins for the real ones."""
    told = stand_ins.environment
    return {
        **{name: told[name] for name in ("PUBMED_URL", "ARXIV_URL", "EUROPEPMC_URL", "NCBI_EMAIL")},
        "OUTBOUND_ALLOWED_HOSTS": told["OUTBOUND_ALLOWED_HOSTS"].split(","),
        "ARXIV_SPACING_SECONDS": float(told["ARXIV_SPACING_SECONDS"]),
        "KNOWLEDGE_RETRY_SECONDS": float(told["KNOWLEDGE_RETRY_SECONDS"]),
        "KNOWLEDGE_PROCESSING_PATIENCE_SECONDS": 3.0,
    }


def night() -> JobRun:
    return get_job(nights.JOB).enqueue(papers_per_topic=20)


def ended(world: World, run: JobRun) -> JobRun:
    """The run, once it and all that it has begun have ended well."""
    ours = JobRun.objects.filter(job__startswith="knowledge.")
    eventually(lambda: not ours.active().exists(), "all runs have ended", timeout=120, tell=world.tell)
    for row in ours:
        assert row.status == JobRun.Status.SUCCEEDED, f"{row.job}: {row.reason}\n{world.tell()}"
    run.refresh_from_db()
    return run


def result_of(run: JobRun) -> dict[str, Any]:
    assert run.result is not None
    return dict(run.result)


@pytest.mark.timeout(600)
def test_a_night_whose_workers_are_killed_ten_times_ends_as_an_undisturbed_one(
    world: World, stand_ins: Services
) -> None:
    def worker() -> Worker:
        return world.new_worker("-Q", "knowledge,processing", settings=settings_for(stand_ins))

    world.stop_workers()
    current = worker()
    world.beat()
    run = ended(world, night())
    assert result_of(run)["new"] == result_of(run)["papers_indexed"] == 32
    assert JobRun.objects.filter(job="knowledge.process_papers", status="succeeded").exists()
    expected = snapshots.whole()
    assert len(expected["papers"]) == 32

    begin_again()
    chance = random.Random(20261122)
    run = night()
    for kill in range(KILLS):
        begun = JobRun.objects.filter(pk=run.pk, status="running", attempt=kill + 1)
        eventually(begun.exists, f"attempt {kill + 1} runs", tell=world.tell)
        time.sleep(chance.uniform(0.05, 1.0))
        current.kill()
        current = worker()
    run = ended(world, run)
    assert run.attempt == KILLS + 1
    assert result_of(run)["papers_indexed"] == 32
    found = snapshots.whole()
    for name, part in expected.items():
        assert found[name] == part, name

    vectors = set(Embedding.objects.values_list("pk", flat=True))
    run = ended(world, night())
    assert (result_of(run)["new"], result_of(run)["updated"], result_of(run)["papers_indexed"]) == (0, 0, 0)
    assert result_of(run)["known"] == result_of(run)["papers_found"] > 32
    assert set(Embedding.objects.values_list("pk", flat=True)) == vectors
