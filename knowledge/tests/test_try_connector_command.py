"""The command that asks a real service once."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from knowledge import rates
from knowledge.tests.library import Library
from knowledge.tests.papers import numbered

pytestmark = pytest.mark.django_db


def test_it_shows_what_the_service_understood_and_gave(ncbi, library: Library, settings):
    settings.NCBI_EMAIL = ""
    library.add(numbered(1), numbered(2, types=("Retracted Publication",)))
    output, errors = StringIO(), StringIO()
    call_command("try_connector", "pubmed", "insulin", "--days", "0", stdout=output, stderr=errors)
    shown = output.getvalue()
    assert '"insulin"[All Fields]' in shown and "Hits:  2" in shown
    assert "RETRACTED Insulin and outcome 2\n  Lovelace AB · 2026-10" in shown
    assert "NCBI_EMAIL is not set" in errors.getvalue()


def test_it_ends_a_hold_when_told_to(ncbi, library: Library):
    rates.hold("pubmed", 4_000, "busy")
    with pytest.raises(CommandError, match="ConnectorUnavailable: pubmed is left alone"):
        call_command("try_connector", "pubmed", "insulin", stdout=StringIO())
    call_command("try_connector", "pubmed", "insulin", "--release", stdout=StringIO())


def test_a_refused_query_is_one_sentence():
    with pytest.raises(CommandError, match="QueryRejected: The query is empty"):
        call_command("try_connector", "arxiv", " ", stdout=StringIO())
