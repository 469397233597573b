"""The contract of every connector, whatever connectors there are."""

import re
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from knowledge import connectors
from knowledge.connectors import Connector, Preview, Query, Window
from knowledge.connectors.registry import _connectors
from knowledge.errors import (
    AnswerUnreadable,
    ConnectorRejected,
    ConnectorUnavailable,
    QueryRejected,
    UnknownConnector,
)
from knowledge.models import ServicePace
from knowledge.rates import Attendance
from knowledge.tests.library import Library
from knowledge.tests.papers import FIRST_DAY, numbered
from knowledge.tests.service_server import FAULTS, ServiceServer

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parents[2]

every_kind = pytest.mark.parametrize("kind", connectors.kinds())
#: The stand-in of each service, by the name of its fixture.
SERVICES = {"pubmed": "ncbi", "arxiv": "arxiv", "europepmc": "europepmc"}
every_service = pytest.mark.parametrize("kind", SERVICES)


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> ServiceServer:
    found: ServiceServer = request.getfixturevalue(SERVICES[kind])
    return found


def titles(connector: Connector, query: Query, cursor: str = "") -> list[str]:
    return [record.title for batch in connector.batches(query, cursor) for record in batch.records]


@every_kind
def test_a_connector_has_a_stable_name_and_a_label(kind):
    connector = connectors.get(kind)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", kind) and connector.kind == kind
    assert (kind, connector.label) in connectors.choices()
    assert type(connector).__doc__


@every_kind
@pytest.mark.parametrize("text", ["", "  ", "(insulin", "insulin)", '"insulin', "x" * 5_000, "a\ud800b"])
def test_a_query_that_cannot_be_asked_is_refused_before_anything_is_sent(kind, text):
    connector = connectors.get(kind)
    with pytest.raises(QueryRejected, match=r"\.$"):
        connector.preview(Query(text))
    with pytest.raises(QueryRejected, match=r"\.$"):
        next(connector.batches(Query(text)))


@every_kind
def test_a_window_that_ends_before_it_begins_and_a_foreign_cursor_are_refused(kind):
    connector = connectors.get(kind)
    with pytest.raises(QueryRejected, match="ends before"):
        connector.preview(Query("insulin", Window(date(2026, 2, 1), date(2026, 1, 1))))
    for cursor in ("nonsense", "[]", '{"other": 1}'):
        with pytest.raises(ConnectorRejected, match="cursor"):
            next(connector.batches(Query("insulin"), cursor))


@every_service
def test_nothing_found_is_one_empty_batch_and_no_error(kind, server, library):
    library.add(numbered(1))
    connector = connectors.get(kind)
    query = Query("insulin AND diabetes", Window(date(2020, 1, 1), date(2020, 2, 1)))
    assert connector.preview(query).hits == 0
    (batch,) = connector.batches(query)
    assert (batch.records, batch.cursor, batch.total, batch.problems) == ((), "", 0, ())


@every_service
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_moment_of_the_service_is_sat_out(kind, server, library, fault):
    library.add(*map(numbered, range(5)))
    server.retry_after = 0
    server.faults = [fault]
    assert len(titles(connectors.get(kind), Query("insulin"))) == 5
    assert server.faults == []


@every_service
@pytest.mark.parametrize(
    ("fault", "error"),
    [("broken", ConnectorUnavailable), ("dropped", ConnectorUnavailable), ("page", AnswerUnreadable)],
)
def test_a_service_that_stays_away_is_never_mistaken_for_one_that_found_nothing(
    kind, server, library, fault, error
):
    library.add(numbered(1))
    server.fault = lambda asked: fault
    connector = connectors.get(kind)
    with pytest.raises(error):
        connector.preview(Query("insulin"))
    with pytest.raises(error):
        list(connector.batches(Query("insulin")))
    assert len(server.requests) == 8, "each was tried four times"


@every_service
def test_too_many_requests_hold_everybody_for_as_long_as_the_service_says(kind, server, library):
    library.add(numbered(1))
    server.retry_after = 1
    server.faults = ["busy"]
    began = time.monotonic()
    assert connectors.get(kind).preview(Query("insulin")).hits == 1
    assert time.monotonic() - began > 0.9
    row = ServicePace.objects.get(service=kind)
    assert row.held_until is not None and row.hold_reason


@every_service
def test_a_service_that_wants_to_be_left_alone_for_long_is(kind, server, library):
    library.add(numbered(1))
    server.retry_after = 3_600
    server.faults = ["busy"]
    connector = connectors.get(kind)
    for _ in range(2):
        with pytest.raises(ConnectorUnavailable) as caught:
            connector.preview(Query("insulin"))
        assert 3_500 < (caught.value.retry_after or 0) <= 3_600
    assert len(server.requests) == 1, "the second asker found the hold of the first"


@every_service
def test_a_cancel_ends_the_wait_between_two_attempts(kind, server, library, settings):
    class Stop(Exception):
        pass

    def check() -> None:
        if server.requests:
            raise Stop

    settings.KNOWLEDGE_RETRY_SECONDS = 30
    server.fault = lambda asked: "broken"
    told: list[str] = []
    with pytest.raises(Stop):
        connectors.get(kind).preview(Query("insulin"), Attendance(check, told.append))
    assert len(server.requests) == 1
    assert "did not answer well" in told[0]


@every_service
def test_a_run_goes_on_behind_the_batch_where_it_was_killed(kind, server, library):
    library.add(*map(numbered, range(450)))
    server.page_size = 100  # only Europe PMC's stand-in minds
    connector, query = connectors.get(kind), Query("insulin", max_results=430)
    everything = titles(connector, query)
    assert len(set(everything)) == len(everything) == 430
    first, second = (lambda found: (next(found), next(found)))(connector.batches(query))
    assert first.total == 430 and first.cursor and second.cursor
    seen = [record.title for batch in (first, second) for record in batch.records]
    assert seen + titles(connector, query, second.cursor) == everything


@every_service
def test_no_more_is_read_than_was_asked_for(kind, server, library):
    library.add(*map(numbered, range(30)))
    connector = connectors.get(kind)
    assert connector.preview(Query("insulin", max_results=7)).hits == 30
    (batch,) = connector.batches(Query("insulin", max_results=7))
    assert len(batch.records) == batch.total == 7


@every_service
def test_the_window_of_entry_reaches_back_by_the_overlap_and_no_further(kind, server, library):
    connector = connectors.get(kind)
    since = FIRST_DAY + timedelta(days=10)
    library.add(
        numbered(1, title="Insulin, long before", entered=since - connector.overlap - timedelta(days=1)),
        numbered(2, title="Insulin, listed late", entered=since - connector.overlap),
        numbered(3, title="Insulin, new", entered=since),
        numbered(4, title="Insulin, later", entered=since + timedelta(days=3)),
    )
    assert set(titles(connector, Query("insulin", Window(since)))) == {
        *("Insulin, listed late", "Insulin, new", "Insulin, later")
    }
    until = Window(since, since + timedelta(days=1))
    assert set(titles(connector, Query("insulin", until))) == {"Insulin, listed late", "Insulin, new"}


@every_service
def test_revisions_are_found_by_the_day_of_the_change(kind, server, library: Library):
    library.add(*(numbered(number, entered=FIRST_DAY, revised=FIRST_DAY) for number in range(1, 6)))
    connector = connectors.get(kind)
    window = Window(library.today, by="revised")
    assert titles(connector, Query("insulin", window)) == []
    library.revise("10.1000/test.3", title="Insulin, corrected")
    (batch,) = connector.batches(Query("insulin", window))
    assert [record.title for record in batch.records] == ["Insulin, corrected"]
    assert str(batch.records[0].revised) == library.today.isoformat()
    library.next_day()
    library.revise("10.1000/test.4", title="Insulin, too late")
    until = replace(window, until=window.since)
    assert titles(connector, Query("insulin", until)) == ["Insulin, corrected"]


@every_service
def test_known_papers_can_be_looked_up_and_unknown_ones_are_named(kind, server, library: Library):
    papers = [numbered(number) for number in range(230)]
    library.add(*papers)
    connector = connectors.get(kind)
    field = connector.looks_up
    assert field is not None
    names = [getattr(paper, field) for paper in papers]
    unknown = {"pmid": "99", "arxiv_id": "2611.99999", "doi": "10.1000/unknown"}[field]
    malformed = {"pmid": "98", "arxiv_id": "not an id", "doi": 'no"doi'}[field]
    batches = list(connector.lookup([*names, unknown, malformed, names[0]]))
    assert [getattr(record, field) for batch in batches for record in batch.records] == names
    assert [name for batch in batches for name in batch.missing] == [unknown, malformed]


@every_service
def test_text_from_outside_is_plain_and_clean(kind, server, library):
    nasty = "<script>alert(1)</script> & 'quotes' \u202e"
    library.add(numbered(1, title=f"Insulin {nasty}", abstract=(("", f"Insulin {nasty}"),)))
    (batch,) = connectors.get(kind).batches(Query("insulin"))
    assert "& 'quotes'" in batch.records[0].title
    assert "\n" not in batch.records[0].title


def test_unknown_kinds_are_named_with_those_that_are_known():
    with pytest.raises(UnknownConnector, match=r"'pigeon'.*arxiv"):
        connectors.get("pigeon")


def test_the_registry_refuses_what_is_unfinished_or_taken():
    class Unfinished(Connector):
        kind, label = "unfinished", "Unfinished"

    with pytest.raises(TypeError, match="batches, preview"):
        connectors.register(Unfinished)
    with pytest.raises(ValueError, match="two connectors"):
        connectors.register(type(connectors.get("arxiv")))


def test_the_page_on_adding_a_connector_works_as_written(monkeypatch, tmp_path):
    """One file in the package is all: it is found, listed and read from."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-connector.md").read_text(), re.DOTALL)
    (tmp_path / "echo.py").write_text(code)
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path)])
    try:
        connectors.load()
        assert ("echo", "Echo") in connectors.choices()
        echo = connectors.get("echo")
        assert echo.preview(Query("insulin", max_results=2)) == Preview("insulin", 3)
        query = Query("insulin", max_results=2)
        found = list(echo.batches(query))
        assert [record.title for batch in found for record in batch.records] == [
            "Echo 1 of insulin",
            "Echo 2 of insulin",
        ]
        assert [batch.cursor for batch in found] == ["1", ""]
        assert list(echo.batches(query, "1")) == found[1:]
        assert replace(found[0].records[0]).provenance == {"title": "echo"}
    finally:
        _connectors.pop("echo", None)
        sys.modules.pop("knowledge.connectors.echo", None)
