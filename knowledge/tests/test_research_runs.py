"""Research jobs: keywords looked for at sources, the newest and the most relevant."""

from dataclasses import replace
from datetime import timedelta

import pytest

from jobs.definitions import get_job
from knowledge.chunking import SIZES, Mode
from knowledge.models import Embedding, Finding, Harvest, KnowledgePolicy, Paper, Passage, ResearchJob, Source
from knowledge.research_runs import UnknownResearchJob, either
from knowledge.tests.nights import new_run, paper, set_up, today
from knowledge.tests.shelf import Letters, registered
from knowledge.updates import NothingToAsk

pytestmark = pytest.mark.django_db

JOB = "knowledge.execute_research_job"
LONG = " ".join(f"Sentence number {number} says something about insulin pumps." for number in range(30))


@pytest.fixture
def letters(settings):
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def shelf(literature, ncbi, arxiv, letters):
    """Twelve papers on insulin pumps, half of them older than a week; every third is at arXiv, too."""
    literature.today = today()
    for number in range(12):
        one = paper(number, "insulin pumps", abstract=(("", LONG),))
        literature.add(replace(one, entered=today() - timedelta(days=number * 2)))
    set_up("pubmed", "arxiv", topics=())
    return literature


def new_job(*connectors, **fields):
    job = ResearchJob.objects.create(**{"name": "Pumps", "keywords": ["insulin pumps"], **fields})
    job.sources.set(Source.objects.filter(connector__in=connectors or ["pubmed", "arxiv"]))
    return job


def execute(job, run=None, **parameters):
    return get_job(JOB)(run or new_run(job=JOB), research_job_id=job.pk, **parameters)


def test_a_research_job_brings_in_what_its_sources_have(shelf):
    job = new_job()
    run = new_run(job=JOB)
    result = execute(job, run)
    assert result.new == result.papers_indexed == Paper.objects.count() == 12
    assert run.succeeded_units == 2
    assert Finding.objects.filter(research_job=job).count() == 12
    assert {str(harvest) for harvest in Harvest.objects.all()} == {"Pumps at PubMed", "Pumps at arXiv"}


def test_nothing_new_is_a_success(shelf, letters):
    job = new_job()
    execute(job)
    letters.asked.clear()
    run = new_run(job=JOB)
    result = execute(job, run)
    assert (result.new, result.updated, result.known) == (0, 0, result.papers_found)
    assert run.failed_units == {}
    assert letters.asked == []


def test_keywords_are_phrases_any_of_which_will_do(shelf, ncbi):
    execute(new_job("pubmed", keywords=['insulin "pumps', "type-2 diabetes"]))
    terms = {asked.fields["term"] for asked in ncbi.requests if "term" in asked.fields}
    assert terms == {'("insulin pumps" OR "type-2 diabetes")'}
    assert either(["a", ' " ', "b  c"]) == '"a" OR "b c"'


@pytest.mark.parametrize("most, expected", [(1, 1), (4, 4), (100, 12)])
def test_a_run_takes_no_more_papers_than_the_job_says(shelf, most, expected):
    assert execute(new_job("pubmed", max_papers=most)).papers_found == expected


def test_sources_share_what_a_job_may_take(shelf):
    execute(new_job(max_papers=5))
    counts = {str(harvest.source): harvest.outcomes.count() for harvest in Harvest.objects.all()}
    assert counts == {"PubMed": 3, "arXiv": 2}


def test_half_of_what_is_taken_may_be_what_came_last(shelf, ncbi):
    execute(new_job("pubmed", max_papers=4))
    newest = sorted((one.entered for one in shelf.papers), reverse=True)[:2]
    stored = [shelf.find(pmid).entered for pmid in Paper.objects.values_list("pmid", flat=True)]
    assert set(newest) <= set(stored)
    orders = [asked.fields["sort"] for asked in ncbi.requests if "sort" in asked.fields]
    assert orders == ["pub_date", "relevance"]


def test_only_what_was_listed_within_its_days_is_looked_for(shelf):
    execute(new_job("pubmed", days_back=9))
    oldest = min(shelf.find(pmid).entered for pmid in Paper.objects.values_list("pmid", flat=True))
    assert oldest >= today() - timedelta(days=11)


@pytest.mark.parametrize("mode", list(Mode))
def test_the_mode_says_how_finely_new_papers_are_cut(shelf, mode):
    execute(new_job("pubmed", mode=mode.value, max_papers=3))
    longest = max(len(text) for text in Passage.objects.values_list("text", flat=True))
    assert SIZES[mode].passage / 2 < longest <= SIZES[mode].passage


def test_known_papers_are_left_alone_unless_they_are_to_be_made_again(shelf, letters):
    execute(new_job("pubmed", mode="fast"))
    before = set(Passage.objects.values_list("pk", flat=True))
    job = new_job("pubmed", name="Coarser", mode="quality")
    execute(job)
    assert set(Passage.objects.values_list("pk", flat=True)) == before
    letters.asked.clear()
    result = execute(job, force_reprocess=True)
    assert (result.updated, result.papers_indexed) == (12, 12)
    assert not before & set(Passage.objects.values_list("pk", flat=True))
    assert len(letters.asked) == Passage.objects.count() == Embedding.objects.count() < len(before)


def test_one_source_that_fails_is_told_and_the_other_is_read(shelf, ncbi):
    ncbi.fault = lambda asked: "broken"
    run = new_run(job=JOB)
    result = execute(new_job(), run)
    assert list(run.failed_units) == ["Pumps at PubMed"]
    assert [(error["topic"], error["source"]) for error in result.errors] == [("Pumps", "PubMed")]
    assert result.new == 4


def test_without_an_enabled_source_there_is_nobody_to_ask(shelf):
    job = new_job()
    Source.objects.update(is_enabled=False)
    with pytest.raises(NothingToAsk, match="Pumps"):
        execute(job)


def test_a_job_that_is_gone_is_an_answer(shelf):
    with pytest.raises(UnknownResearchJob):
        get_job(JOB)(new_run(job=JOB), research_job_id=10**6)
