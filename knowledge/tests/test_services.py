"""The stand-ins as a test of the nightly job uses them: several nights, and processes that know only addresses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from knowledge import connectors
from knowledge.connectors import Query, Window
from knowledge.tests import services
from knowledge.tests.library import Library
from knowledge.tests.papers import numbered

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_what_happens_between_two_nights_is_seen_in_the_second(ncbi, arxiv, europepmc, library: Library):
    library.add(*(numbered(number, entered=library.today, revised=library.today) for number in range(4)))

    def seen(kind: str, by: str) -> dict[str, bool]:
        """Titles and whether they are retracted, as of tonight alone."""
        connector = connectors.get(kind)
        query = Query("insulin", Window(library.today + connector.overlap, by=by))  # type: ignore[arg-type]  # one of its words
        return {
            record.title: record.is_retracted
            for batch in connector.batches(query)
            for record in batch.records
        }

    for kind in ("pubmed", "arxiv", "europepmc"):
        assert len(seen(kind, "entered")) == 4
    library.next_day()
    library.add(numbered(8, entered=library.today, revised=library.today))
    library.revise("10.1000/test.2", title="Insulin, corrected")
    library.retract(
        "10.1000/test.3", numbered(9, arxiv_id="", title="Retraction of insulin", revised=library.today)
    )
    new = {"Insulin and outcome 8": False}
    notice = {"Retraction of insulin": False}
    changed = {"Insulin, corrected": False}
    for kind in ("pubmed", "europepmc"):
        assert seen(kind, "entered") == new | notice
        assert seen(kind, "revised") == new | notice | changed | {"Insulin and outcome 3": True}
    assert seen("arxiv", "entered") == new
    assert seen("arxiv", "revised") == new | changed


def test_a_process_of_its_own_takes_them_for_the_real_services(database_url):
    library = Library()
    library.add(*map(numbered, range(30)))
    with services.running(library) as running:
        environment = {
            **os.environ,
            **running.environment,
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "config.settings.test",
        }
        for kind in ("pubmed", "arxiv", "europepmc"):
            done = subprocess.run(
                [sys.executable, "manage.py", "try_connector", kind, "insulin", "--days", "0"],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, done.stderr
            assert "Hits:  30" in done.stdout
        assert running.ncbi.refused == running.arxiv.refused == 0
