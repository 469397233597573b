"""Nightly updates, against services that stand in for the real ones."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from jobs.definitions import get_job
from jobs.errors import InvalidParameters
from jobs.models import Alert, Delivery, NotificationChannel, NotificationRule
from knowledge.embedding import EmbedderRefused, EmbedderUnavailable
from knowledge.errors import ConnectorUnavailable
from knowledge.models import (
    Embedding,
    Finding,
    Harvest,
    KnowledgePolicy,
    Outcome,
    Paper,
    Passage,
    Source,
    Topic,
    TopicQuery,
)
from knowledge.search.engine import search
from knowledge.tests.nights import JOB, TOPICS, fill, new_run, paper, set_up, today, update
from knowledge.tests.shelf import Letters, registered
from knowledge.updates import NothingToAsk, UnknownTopic

pytestmark = pytest.mark.django_db


@pytest.fixture
def letters(settings):
    """What embeds here; it knows what it was asked."""
    settings.KNOWLEDGE_PROCESSING_PATIENCE_SECONDS = 0
    KnowledgePolicy.objects.update_or_create(pk=1, defaults={"embedder": "letters"})
    with registered(embedder := Letters()):
        yield embedder


@pytest.fixture
def night(literature, ncbi, arxiv, europepmc, letters):
    """Eight topics, three sources, six papers on each topic."""
    fill(literature)
    set_up()
    return literature


def test_a_night_brings_the_papers_of_all_topics_into_both_indexes(night):
    result = update(papers_per_topic=20)
    assert result.topics_searched == 8
    assert result.papers_found == result.new + result.updated + result.known > 48
    assert result.new == Paper.objects.count() == 48
    assert result.papers_indexed == 48
    assert result.errors == []
    assert Passage.objects.count() == Embedding.objects.count() > 48
    assert set(Finding.objects.values_list("topic__name", flat=True)) == set(TOPICS)
    assert not Harvest.objects.exclude(state="done").exists()


def test_the_same_night_again_brings_nothing_and_embeds_nothing(night, letters):
    update()
    before = set(Embedding.objects.values_list("pk", flat=True))
    letters.asked.clear()
    result = update()
    assert (result.new, result.updated, result.papers_indexed) == (0, 0, 0)
    assert result.known == result.papers_found > 0
    assert letters.asked == []
    assert set(Embedding.objects.values_list("pk", flat=True)) == before


@pytest.fixture
def two_topics(literature, ncbi, europepmc, letters):
    """Two topics, and PubMed and Europe PMC, with two papers on each."""
    literature.today = today()
    literature.add(*(paper(number, TOPICS[number % 2]) for number in range(4)))
    set_up("pubmed", "europepmc", topics=TOPICS[:2])
    return literature


def failures(run):
    return sorted(run.failed_units)


# What is asked


def test_a_topic_is_asked_by_its_own_words_where_it_has_some(two_topics, ncbi):
    topic, source = Topic.objects.get(name="hypertension"), Source.objects.get(connector="pubmed")
    TopicQuery.objects.create(topic=topic, source=source, text='"study number 2"[Title]')
    update(topics=["hypertension"])
    terms = [asked.fields["term"] for asked in ncbi.requests if asked.path.endswith("esearch.fcgi")]
    assert terms == ['("study number 2"[Title])']


def test_a_source_that_is_not_wanted_for_a_topic_is_not_asked(two_topics):
    topic, source = Topic.objects.get(name="hypertension"), Source.objects.get(connector="pubmed")
    TopicQuery.objects.create(topic=topic, source=source, is_enabled=False)
    update()
    assert not Harvest.objects.filter(topic=topic, source=source).exists()
    assert Harvest.objects.count() == 3


def test_no_more_than_so_many_papers_are_asked_for_the_newest_first(two_topics, literature):
    literature.add(*(paper(number, "hypertension", entered=today()) for number in range(50, 60)))
    result = update(topics=["hypertension"], papers_per_topic=3)
    assert result.papers_found == 6
    assert Paper.objects.count() <= 6
    days = sorted((one.published for one in literature.papers if "hypertension" in one.title), reverse=True)
    stored = [literature.find(pmid).published for pmid in Paper.objects.values_list("pmid", flat=True)]
    assert min(stored) >= days[2]


def test_only_what_was_listed_within_the_days_is_brought_in(two_topics, literature):
    literature.papers[:] = [replace(one, entered=today() - timedelta(days=20)) for one in literature.papers]
    assert update(days_back=7).new == 0
    assert update(days_back=30).new == 4


def test_topics_that_are_disabled_or_have_a_schedule_of_their_own_wait(two_topics):
    crontab = CrontabSchedule.objects.create()
    own = PeriodicTask.objects.create(name="own", task=JOB, crontab=crontab)
    Topic.objects.filter(name="hypertension").update(schedule=own)
    Topic.objects.filter(name="diabetes mellitus").update(is_enabled=False)
    assert update().topics_searched == 0
    assert update(topics=["Hypertension"]).topics_searched == 1


def test_unknown_topics_are_an_answer_that_names_them(two_topics):
    with pytest.raises(UnknownTopic, match="There is no topic 'gout'"):
        update(topics=["hypertension", "gout"])
    assert not Harvest.objects.exists()


def test_without_an_enabled_source_there_is_nobody_to_ask(two_topics):
    Source.objects.update(is_enabled=False)
    with pytest.raises(NothingToAsk):
        update()


@pytest.mark.parametrize(
    "parameters", [{"papers_per_topic": 0}, {"papers_per_topic": 21}, {"days_back": 0}, {"days_back": 91}]
)
def test_numbers_out_of_range_are_refused(parameters):
    with pytest.raises(InvalidParameters):
        get_job(JOB).clean(parameters)


# What fails


def test_one_source_that_is_down_is_told_and_the_other_is_read(two_topics, ncbi):
    ncbi.fault = lambda asked: "broken"
    run = new_run()
    result = update(run)
    assert failures(run) == ["diabetes mellitus at PubMed", "hypertension at PubMed"]
    assert run.succeeded_units == 2
    assert "502" in run.failed_units["hypertension at PubMed"]
    assert result.new == 4
    assert [(error["topic"], error["source"]) for error in result.errors] == [
        ("diabetes mellitus", "PubMed"),
        ("hypertension", "PubMed"),
    ]
    assert all("502" in error["reason"] for error in result.errors)
    assert "502" in Source.objects.get(connector="pubmed").problem
    assert Source.objects.get(connector="europepmc").problem == ""


def test_a_source_that_is_down_for_one_topic_fails_that_topic_alone(two_topics, ncbi):
    ncbi.fault = lambda asked: "broken" if "hypertension" in asked.fields.get("term", "") else ""
    run = new_run()
    update(run)
    assert failures(run) == ["hypertension at PubMed"]
    assert Topic.objects.get(name="hypertension").updated_at is None
    assert Topic.objects.get(name="diabetes mellitus").updated_at is not None


def test_when_no_source_can_be_asked_the_run_is_tried_again_and_then_goes_on(two_topics, ncbi, europepmc):
    ncbi.fault = europepmc.fault = lambda asked: "broken"
    run = new_run()
    with pytest.raises(ConnectorUnavailable, match="No source could be asked"):
        update(run)
    assert get_job(JOB).retry.is_transient(ConnectorUnavailable("No."))
    ncbi.fault = europepmc.fault = lambda asked: ""
    result = update(new_run(attempt=2, run_id=run.id))
    assert (result.new, result.errors) == (4, [])
    assert Harvest.objects.count() == 4


def test_a_query_that_a_source_refuses_is_no_reason_to_try_again(two_topics):
    for topic in Topic.objects.all():
        for source in Source.objects.all():
            TopicQuery.objects.create(topic=topic, source=source, text="(hypertension")
    run = new_run()
    result = update(run)
    assert len(run.failed_units) == 4
    assert run.succeeded_units == 0
    assert {error["reason"] for error in result.errors} == {
        "The query has a bracket or a quotation mark without its other half."
    }


def test_papers_that_cannot_be_read_are_outcomes_of_their_own(two_topics, literature):
    literature.add(paper(90, "hypertension", title="", pmid="90", doi=""))
    result = update()
    assert result.failed > 0
    assert result.new == 4
    reasons = set(Outcome.objects.filter(result="failed").values_list("reason", flat=True))
    assert all(reasons)
    assert any(error["paper"] for error in result.errors)


def test_a_source_that_fails_three_nights_in_a_row_is_an_alert_that_ends_with_a_good_one(two_topics, ncbi):
    ncbi.fault = lambda asked: "broken"
    for count in (0, 0, 1):
        update()
        alerts = Alert.objects.filter(kind="knowledge.source_failing", state="open")
        assert alerts.count() == count
    assert alerts.get().subject_text == "PubMed"
    ncbi.fault = lambda asked: ""
    update()
    assert Alert.objects.get(kind="knowledge.source_failing").state == "resolved"


def test_the_embedder_that_is_away_fails_the_attempt_and_the_next_one_asks_no_source_again(
    two_topics, letters, ncbi
):
    def away(texts):
        raise EmbedderUnavailable("The embedder is away.")

    letters.answer = away
    run = new_run()
    with pytest.raises(EmbedderUnavailable):
        update(run)
    asked = len(ncbi.requests)
    letters.answer = letters.count
    result = update(new_run(attempt=2, run_id=run.id))
    assert (result.new, result.papers_indexed) == (4, 4)
    assert len(ncbi.requests) == asked


def test_papers_whose_text_the_embedder_refuses_do_not_count_as_indexed(two_topics, letters):
    def choosy(texts):
        if any("number 2" in text for text in texts):
            raise EmbedderRefused("Too odd.")
        return letters.count(texts)

    letters.answer = choosy
    run = new_run()
    result = update(run)
    assert (result.new, result.papers_indexed) == (4, 3)
    assert list(run.failed_units.values()) == ["Too odd."]
    assert [error["reason"] for error in result.errors] == ["Too odd."]


# From night to night


def test_a_retraction_between_two_nights_takes_the_paper_out_of_the_search(two_topics, literature):
    update()
    literature.retract("40000001", paper(99, "hypertension", title="Retraction of study number 1"))
    result = update()
    retracted = Paper.objects.get(pmid="40000001")
    assert retracted.is_retracted
    assert result.updated >= 1
    assert retracted.title not in [hit.part.title for hit in search("hypertension study number 1")]
    assert Outcome.objects.filter(paper=retracted, reason="It has been retracted.").exists()


def test_a_new_version_at_arxiv_is_embedded_again_and_nothing_else(literature, arxiv, letters):
    literature.today = today()
    literature.add(*(paper(number * 3, "cancer") for number in range(3)))
    set_up("arxiv", topics=("cancer",))
    update()
    letters.asked.clear()
    literature.revise("2611.00003", abstract=(("", "Everything about cancer was different after all."),))
    result = update()
    assert (result.updated, result.known, result.papers_indexed) == (1, 2, 1)
    assert [text for text in letters.asked if "different after all" in text] == letters.asked
    assert Paper.objects.get(arxiv_id="2611.00003").version == 2


def test_a_paper_of_two_topics_is_one_paper_found_for_both(literature, ncbi, letters):
    literature.today = today()
    literature.add(paper(1, "hypertension and cancer"))
    set_up("pubmed", topics=("hypertension", "cancer"))
    result = update()
    assert (result.new, result.known) == (1, 1)
    assert Paper.objects.get().findings.count() == 2


# Telling people


def told():
    return list(Delivery.objects.filter(purpose="report").values_list("message__title", flat=True))


def incomplete():
    return Alert.objects.get(kind="knowledge.update_incomplete")


def test_success_is_told_when_the_policy_wants_it_and_once_however_often_the_run_is_made(two_topics):
    rule = NotificationRule.objects.create(name="reports", position=1, changes=["report"])
    rule.channels.add(NotificationChannel.objects.get())
    update()
    assert told() == []
    KnowledgePolicy.objects.update(tell_success=True)
    run = new_run()
    update(run)
    update(new_run(attempt=2, run_id=run.id))
    assert told() == ["An update: 0 new papers"]


def test_a_failure_in_part_is_an_alert_until_an_update_goes_well(two_topics, ncbi):
    ncbi.fault = lambda asked: "broken"
    update()
    assert incomplete().state == "open"
    assert "hypertension at PubMed: " in incomplete().message
    ncbi.fault = lambda asked: ""
    update()
    assert incomplete().state == "resolved"


def test_a_failure_in_part_is_not_told_when_the_policy_says_no(two_topics, ncbi):
    KnowledgePolicy.objects.update(tell_failure=False)
    ncbi.fault = lambda asked: "broken"
    update()
    assert not Alert.objects.filter(kind="knowledge.update_incomplete").exists()
