"""Sources: made, changed, synced by people; feeds lead nowhere that is private."""

from typing import Any

import pytest

from jobs.errors import IllegalState
from jobs.models import AuditEvent, JobRun
from knowledge import research, sources
from knowledge.errors import InvalidSource
from knowledge.models import ResearchJob, Source

pytestmark = pytest.mark.django_db

FEED = "https://192.88.99.1/feed.xml"


def made(**said: Any) -> Source:
    return sources.save(Source(), {"name": "Ours", "connector": "feeds", **said}, by=None)


def problems_of(error: pytest.ExceptionInfo[InvalidSource]) -> dict[str, str]:
    return {name: " ".join(reasons) for name, reasons in error.value.fields.items()}


def test_a_source_is_saved_and_told_in_the_audit_trail(admin_user: Any) -> None:
    source = sources.save(Source(), {"name": "PubMed", "connector": "pubmed"}, by=admin_user)

    assert Source.objects.get() == source
    assert AuditEvent.objects.get().message == "Added."


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/feed.xml",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:8000/feed.xml",
        "http://10.0.0.5/feed.xml",
        "http://localhost/feed.xml",
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidSource) as error:
        made(addresses=[address])
    assert "not allowed" in problems_of(error)["addresses"]
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    "address", ["ftp://feeds.example/x", "file:///etc/passwd", "feeds.example", "http://[::1", "https://"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidSource) as error:
        made(addresses=[address])
    assert "is not an address of a feed" in problems_of(error)["addresses"]


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidSource) as error:
        made(addresses=["https://user:secret@feeds.example/x"])
    assert "secret" not in problems_of(error)["addresses"]


def test_what_operators_allow_is_let_through(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:8080"]
    assert made(addresses=[" http://127.0.0.1:8080/x ", "http://127.0.0.1:8080/x"]).addresses == [
        "http://127.0.0.1:8080/x"
    ]


def test_a_name_that_nobody_knows_now_is_let_through() -> None:
    assert made(addresses=["https://feeds.invalid/x"]).addresses == ["https://feeds.invalid/x"]


def test_services_with_an_address_of_their_own_take_none() -> None:
    with pytest.raises(InvalidSource, match="leave this empty"):
        made(connector="pubmed", addresses=["https://feeds.invalid/x"])


def test_an_unknown_connector_is_refused() -> None:
    with pytest.raises(InvalidSource) as error:
        made(connector="nowhere")
    assert "There is no connector named “nowhere”" in problems_of(error)["connector"]


def test_a_new_place_begins_without_the_problem_of_the_old_one() -> None:
    source = made(addresses=["https://feeds.invalid/x"])
    Source.objects.update(problem="It does not answer.")

    sources.save(source, {"name": "Theirs"}, by=None)
    assert Source.objects.get().problem == "It does not answer."

    sources.save(source, {"addresses": ["https://feeds.invalid/y"]}, by=None)
    assert Source.objects.get().problem == ""


def test_syncing_queues_one_run(admin_user: Any) -> None:
    source = made()
    run = sources.sync([source], by=admin_user, trigger=JobRun.Trigger.ADMIN)
    assert (run.job, run.parameters) == ("knowledge.sync_sources", {"sources": [source.pk]})


def test_a_disabled_source_is_not_synced() -> None:
    source = made()
    sources.set_enabled(source, False, by=None)
    with pytest.raises(IllegalState, match="Ours is disabled"):
        sources.sync([source], by=None, trigger=JobRun.Trigger.ADMIN)


def test_the_only_source_of_a_research_job_cannot_be_deleted() -> None:
    source = made()
    changes = {"name": "Insulin", "keywords": ["insulin"]}
    job = research.save(ResearchJob(), changes, sources=[source], interval_hours=6, by=None)

    with pytest.raises(IllegalState, match="the only source of Insulin"):
        sources.delete(source, by=None)

    research.delete(job, by=None)
    sources.delete(source, by=None)
    assert not Source.objects.exists()
