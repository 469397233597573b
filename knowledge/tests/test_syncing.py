"""Keeping up with what becomes of papers that are here, and with feeds."""

from datetime import timedelta

import pytest

from jobs.definitions import get_job
from knowledge.models import Harvest, KnowledgePolicy, Outcome, Paper, Source, Topic
from knowledge.syncing import LONGEST_LOOK, UnknownSource
from knowledge.tests.nights import new_run, paper, set_up, today, update
from knowledge.tests.shelf import Letters, registered

pytestmark = pytest.mark.django_db

JOB = "knowledge.sync_sources"


@pytest.fixture
def letters(settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def here(literature, ncbi, arxiv, europepmc, letters):
    """Six papers that are here, two of them at arXiv, and a dozen days later."""
    literature.today = today()
    literature.add(*(paper(number, "cancer") for number in range(6)))
    set_up("pubmed", "arxiv", "europepmc", topics=("cancer",))
    update(papers_per_topic=20)
    return literature


def sync(*connectors, run=None):
    sources = [Source.objects.get(connector=connector).pk for connector in connectors]
    return get_job(JOB)(run or new_run(job=JOB), sources=sources)


def test_a_retraction_of_a_paper_that_is_here_is_found(here):
    here.retract("40000001", paper(99, "cancer", title="Retraction of study number 1"))
    result = sync("pubmed")
    assert Paper.objects.get(pmid="40000001").is_retracted
    assert result.updated == 1


def test_papers_that_are_not_here_are_passed_over(here):
    here.add(paper(50, "cancer"))
    assert sync("pubmed").new == 0
    assert not Paper.objects.filter(pmid="40000050").exists()


def test_a_paper_that_no_topic_finds_any_more_is_looked_up_all_the_same(here):
    Topic.objects.all().delete()
    here.retract("40000001", paper(99, "cancer", title="Retraction of study number 1"))
    sync("pubmed")
    assert Paper.objects.get(pmid="40000001").is_retracted


def test_new_versions_at_arxiv_are_found_and_embedded(here, letters):
    here.revise("2611.00003", abstract=(("", "All of it was different after all."),))
    letters.asked.clear()
    result = sync("arxiv")
    assert Paper.objects.get(arxiv_id="2611.00003").version == 2
    assert (result.updated, result.known) == (1, 1)
    # PubMed describes the paper, too, and is believed first: its text stays.
    assert letters.asked == []


def test_europe_pmc_is_asked_by_doi(here, europepmc):
    here.retract("40000001", paper(99, "cancer", title="Retraction of study number 1"))
    sync("europepmc")
    assert Paper.objects.get(pmid="40000001").is_retracted
    assert any('DOI:"10.1000/night.1"' in asked.fields.get("query", "") for asked in europepmc.requests)


def test_papers_are_looked_up_in_turn_those_first_that_waited_longest(here, monkeypatch):
    monkeypatch.setattr("knowledge.syncing.LOOKED_UP", 2)
    Topic.objects.all().delete()
    seen: list[str] = []
    for _ in range(3):
        run = new_run(job=JOB)
        sync("pubmed", run=run)
        seen += Outcome.objects.filter(harvest__run_id=run.id).values_list("source_id_there", flat=True)
    assert sorted(seen) == [f"4000000{number}" for number in range(6)]


def test_a_paper_that_a_source_does_not_have_any_more_is_told_and_does_not_block_the_turn(here, monkeypatch):
    monkeypatch.setattr("knowledge.syncing.LOOKED_UP", 1)
    Topic.objects.all().delete()
    here.papers[:] = [one for one in here.papers if one.pmid != "40000000"]
    seen: list[object] = []
    for _ in range(6):
        run = new_run(job=JOB)
        sync("pubmed", run=run)
        seen += Outcome.objects.filter(harvest__run_id=run.id).values_list("source_id_there", "result")
    assert ("40000000", "skipped") in seen
    assert len(set(seen)) == 6


def test_changes_are_looked_for_since_the_last_time_with_an_overlap(here, ncbi):
    Source.objects.filter(connector="pubmed").update(revised_until=today() - timedelta(days=3))
    sync("pubmed")
    asked = next(asked.fields for asked in ncbi.requests if asked.fields.get("datetype") == "mdat")
    assert asked["mindate"] == f"{today() - timedelta(days=5):%Y/%m/%d}"
    source = Source.objects.get(connector="pubmed")
    assert source.revised_until == today()
    assert source.synced_at is not None


def test_a_source_that_was_off_for_long_is_not_asked_for_years(here, ncbi):
    Source.objects.filter(connector="pubmed").update(revised_until=today() - timedelta(days=900))
    sync("pubmed")
    asked = next(asked.fields for asked in ncbi.requests if asked.fields.get("datetype") == "mdat")
    assert asked["mindate"] == f"{today() - LONGEST_LOOK - timedelta(days=2):%Y/%m/%d}"


def test_a_source_that_fails_is_looked_through_from_the_same_day_the_next_time(here, ncbi):
    before = today() - timedelta(days=3)
    Source.objects.filter(connector="pubmed").update(revised_until=before)
    ncbi.fault = lambda asked: "broken"
    run = new_run(job=JOB)
    get_job(JOB)(run, sources=[])
    assert list(run.failed_units) == ["Known papers at PubMed"]
    source = Source.objects.get(connector="pubmed")
    assert (source.revised_until, source.synced_at) == (before, None)
    assert source.problem


def test_a_source_whose_connector_is_gone_fails_alone(here):
    Source.objects.filter(connector="europepmc").update(connector="scopus")
    run = new_run(job=JOB)
    get_job(JOB)(run, sources=[])
    assert list(run.failed_units) == ["Known papers at Europe PMC"]
    assert "scopus" in run.failed_units["Known papers at Europe PMC"]
    assert run.succeeded_units == 2


def test_an_unknown_source_is_an_answer(here):
    with pytest.raises(UnknownSource):
        get_job(JOB)(new_run(job=JOB), sources=[10**6])
    assert not Harvest.objects.filter(topic=None).exists()


FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Guidelines</title>{items}</channel></rss>"""
ITEM = """<item><title>Guideline {number} on care</title><guid isPermaLink="false">guide-{number}</guid>
<link>https://guidelines.example/{number}</link><pubDate>{day:%a, %d %b %Y} 08:00:00 GMT</pubDate>
<description>Care of group {number} is to be {verb}.</description></item>"""


def feed(verb="improved", count=3):
    items = "".join(ITEM.format(number=number, day=today(), verb=verb) for number in range(count))
    return FEED.format(items=items)


@pytest.fixture
def guidelines(httpserver, letters, quickly, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [*settings.OUTBOUND_ALLOWED_HOSTS, f"localhost:{httpserver.port}"]
    Source.objects.create(
        name="Guidelines",
        connector="feeds",
        addresses=[httpserver.url_for("/who.xml"), httpserver.url_for("/cdc.xml")],
    )
    return httpserver


def test_feeds_are_read_and_what_is_new_in_them_is_stored(guidelines):
    guidelines.expect_request("/who.xml").respond_with_data(feed(), content_type="application/rss+xml")
    guidelines.expect_request("/cdc.xml").respond_with_data(feed(count=0), content_type="application/rss+xml")
    result = sync("feeds")
    assert (result.new, result.papers_indexed) == (3, 3)
    assert sync("feeds").known == 3


def test_an_entry_that_a_feed_corrects_is_corrected_here(guidelines):
    for verb in ("improved", "continued"):
        guidelines.clear()
        guidelines.expect_request("/who.xml").respond_with_data(
            feed(verb), content_type="application/rss+xml"
        )
        guidelines.expect_request("/cdc.xml").respond_with_data(
            feed(count=0), content_type="application/rss+xml"
        )
        result = sync("feeds")
    assert (result.new, result.updated) == (0, 3)
    assert all("continued" in one.abstract_text for one in Paper.objects.all())


def test_one_feed_of_several_that_fails_is_told_and_the_others_are_read(guidelines):
    guidelines.expect_request("/who.xml").respond_with_data(feed(), content_type="application/rss+xml")
    guidelines.expect_request("/cdc.xml").respond_with_data("Away.", status=404)
    run = new_run(job=JOB)
    result = sync("feeds", run=run)
    assert Paper.objects.count() == 3
    assert list(run.failed_units) == ["Known papers at Guidelines"]
    assert "404" in result.errors[0]["reason"]
