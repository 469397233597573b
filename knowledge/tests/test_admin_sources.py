"""The admin's pages of sources, research jobs, harvests, papers and the policy."""

import uuid
from typing import Any

import pytest
from django.test import Client

from jobs.models import AuditEvent, JobRun, Schedule
from jobs.tests.staff import signed_in, staff
from knowledge import research
from knowledge.models import Harvest, KnowledgePolicy, Outcome, Paper, ResearchJob, ServicePace, Source, Topic

pytestmark = pytest.mark.django_db

SOURCES = "/admin/knowledge/source/"
JOBS = "/admin/knowledge/researchjob/"
HARVESTS = "/admin/knowledge/harvest/"
PAPERS = "/admin/knowledge/paper/"
EVERYTHING = (
    *(f"knowledge.{what}_source" for what in ("view", "add", "change", "delete", "sync")),
    *(f"knowledge.{what}_researchjob" for what in ("view", "add", "change", "delete", "run", "enable")),
    *("knowledge.view_harvest", "knowledge.view_outcome", "knowledge.view_paper", "knowledge.view_topic"),
    *("knowledge.view_knowledgepolicy", "knowledge.change_knowledgepolicy", "knowledge.view_servicepace"),
    *("knowledge.view_embeddingmodel", "jobs.view_jobrun"),
)
LOOK = tuple(one for one in EVERYTHING if ".view_" in one)


@pytest.fixture
def client() -> Client:
    return signed_in(staff(*EVERYTHING))


@pytest.fixture
def viewer() -> Client:
    return signed_in(staff(*LOOK))


@pytest.fixture
def pubmed() -> Source:
    return Source.objects.create(name="PubMed", connector="pubmed")


def said(answer: Any) -> str:
    text: str = answer.content.decode()
    return text


# Sources


def test_a_source_of_feeds_is_added(client: Client) -> None:
    typed = {
        "name": "Ours",
        "connector": "feeds",
        "addresses": "https://feeds.invalid/a\nhttps://feeds.invalid/b",
    }

    answer = client.post(f"{SOURCES}add/", typed)

    source = Source.objects.get()
    assert answer["Location"] == f"{SOURCES}{source.pk}/change/"
    assert source.addresses == ["https://feeds.invalid/a", "https://feeds.invalid/b"]
    assert "https://feeds.invalid/b" in said(client.get(f"{SOURCES}{source.pk}/change/"))


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"addresses": "http://169.254.169.254/latest"}, "which is not allowed"),
        ({"addresses": "feeds.example"}, "is not an address of a feed"),
        ({"connector": "pubmed", "addresses": "https://feeds.invalid/a"}, "leave this empty"),
        ({"connector": "nowhere"}, "Select a valid choice"),
        ({"name": ""}, "This field is required"),
    ],
)
def test_a_source_that_cannot_be_is_refused_at_its_field(
    client: Client, typed: dict[str, str], why: str
) -> None:
    answer = client.post(f"{SOURCES}add/", {"name": "Ours", "connector": "feeds", "addresses": "", **typed})

    assert answer.status_code == 200 and why in said(answer)
    assert not Source.objects.exists()


def test_a_problem_is_shown_in_the_list_and_on_the_page(client: Client, pubmed: Source) -> None:
    Source.objects.update(problem="PubMed is <busy>.")

    for address in (SOURCES, f"{SOURCES}?state=problem", f"{SOURCES}{pubmed.pk}/change/"):
        assert "PubMed is &lt;busy&gt;." in said(client.get(address))
    assert "PubMed is" not in said(client.get(f"{SOURCES}?state=fine"))


def test_a_source_whose_connector_is_gone_is_still_shown(client: Client) -> None:
    source = Source.objects.create(name="Old", connector="vanished")

    assert "Its code is gone" in said(client.get(SOURCES))
    assert "Its code is gone" in said(client.get(f"{SOURCES}{source.pk}/change/"))
    assert client.get(f"{SOURCES}{source.pk}/test/").status_code == 200


def test_a_source_is_synced_and_switched(client: Client, pubmed: Source) -> None:
    client.post(f"{SOURCES}{pubmed.pk}/sync/")
    assert JobRun.objects.get().parameters == {"sources": [pubmed.pk]}

    client.post(f"{SOURCES}{pubmed.pk}/disable/")
    assert not Source.objects.get().is_enabled
    client.post(f"{SOURCES}{pubmed.pk}/sync/")
    assert JobRun.objects.count() == 1
    assert client.get(f"{SOURCES}{pubmed.pk}/sync/").status_code == 405


@pytest.mark.django_db(transaction=True)
def test_a_test_shows_why_a_source_does_not_answer(pubmed: Source, settings: Any) -> None:
    settings.PUBMED_URL = "http://127.0.0.1:9/entrez"  # nothing is allowed there
    client = signed_in(staff(*EVERYTHING))
    page = said(client.post(f"{SOURCES}{pubmed.pk}/test/", {"text": "asthma", "days_back": "7"}))
    assert "private or reserved network" in page
    assert "This field is required" in said(client.post(f"{SOURCES}{pubmed.pk}/test/", {"days_back": "7"}))


def test_the_only_source_of_a_research_job_stays(client: Client, pubmed: Source) -> None:
    research.save(
        ResearchJob(), {"name": "Insulin", "keywords": ["x"]}, sources=[pubmed], interval_hours=6, by=None
    )
    answer = client.post(f"{SOURCES}{pubmed.pk}/delete/", {"post": "yes"}, follow=True)
    assert "the only source of Insulin" in said(answer)
    assert Source.objects.exists()


# Research jobs


def typed_job(source: Source, **fields: Any) -> dict[str, Any]:
    return {
        "name": "Insulin", "keywords": "insulin\nislet cells", "sources": [source.pk], "max_papers": "50",
        "days_back": "30", "mode": "balanced", "cron": "", "interval_hours": "6", **fields,
    }  # fmt: skip


def test_a_research_job_is_added_changed_run_and_deleted(client: Client, pubmed: Source) -> None:
    client.post(f"{JOBS}add/", typed_job(pubmed))
    job = ResearchJob.objects.get()
    assert (job.keywords, research.hours_of(job)) == (["insulin", "islet cells"], 6)
    page = said(client.get(f"{JOBS}{job.pk}/change/"))
    assert 'value="6"' in page and "Every 6 hours" in page

    client.post(f"{JOBS}{job.pk}/change/", typed_job(pubmed, cron="0 4 * * *", interval_hours=""))
    assert research.cron_of(ResearchJob.objects.get()) == "0 4 * * *"

    answer = client.post(f"{JOBS}{job.pk}/run/", {"force_reprocess": "on"})
    run = JobRun.objects.get()
    assert run.parameters == {"research_job_id": job.pk, "force_reprocess": True}
    assert answer["Location"] == f"/admin/jobs/jobrun/{run.pk}/change/"
    assert f"{JOBS}{job.pk}/change/" in said(client.get(answer["Location"]))

    client.post(f"{JOBS}{job.pk}/delete/", {"post": "yes"})
    assert not ResearchJob.objects.exists() and not Schedule.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"cron": "0 4 * * *"}, "not both"),
        ({"interval_hours": ""}, "Give a cron expression or an interval."),
        ({"keywords": " \n "}, "This field is required"),
        ({"sources": []}, "This field is required"),
        ({"max_papers": "1001"}, "less than or equal to 1000"),
        ({"interval_hours": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_research_job_that_cannot_be_is_refused(
    client: Client, pubmed: Source, wrong: dict[str, Any], why: str
) -> None:
    answer = client.post(f"{JOBS}add/", typed_job(pubmed, **wrong))

    assert answer.status_code == 200 and why in said(answer)
    assert not ResearchJob.objects.exists() and not Schedule.objects.exists()


def test_the_runs_of_a_research_job_are_told(client: Client, pubmed: Source) -> None:
    job = research.save(
        ResearchJob(), {"name": "Insulin", "keywords": ["x"]}, sources=[pubmed], interval_hours=6, by=None
    )
    Harvest.objects.create(
        run_id=uuid.uuid4(), research_job=job, source=pubmed, query={}, state="failed", problem="No answer."
    )
    page = said(client.get(f"{JOBS}{job.pk}/change/"))
    assert "No answer." in page and "failed" in page


# Who may only look


def test_who_may_only_look_controls_nothing(viewer: Client, pubmed: Source) -> None:
    job = research.save(
        ResearchJob(), {"name": "Insulin", "keywords": ["x"]}, sources=[pubmed], interval_hours=6, by=None
    )
    for address in (
        SOURCES,
        JOBS,
        HARVESTS,
        PAPERS,
        f"{SOURCES}{pubmed.pk}/change/",
        f"{JOBS}{job.pk}/change/",
    ):
        assert viewer.get(address).status_code == 200
    for control in ("test", "sync", "enable", "disable", "change", "delete"):
        assert viewer.post(f"{SOURCES}{pubmed.pk}/{control}/", {"post": "yes"}).status_code == 403
    for control in ("run", "enable", "disable", "change", "delete"):
        assert viewer.post(f"{JOBS}{job.pk}/{control}/", {"post": "yes"}).status_code == 403
    assert not JobRun.objects.exists() and Source.objects.get().is_enabled


# Harvests and papers


def test_a_harvest_tells_what_became_of_each_paper(client: Client, pubmed: Source) -> None:
    topic = Topic.objects.create(name="asthma")
    paper = Paper.objects.create(title="Wheezing <b>in</b> cats", pmid="7")
    query = {"queries": [{"text": "asthma[Title]", "window": {"since": "2026-11-01"}, "max_results": 5}]}
    harvest = Harvest.objects.create(run_id=uuid.uuid4(), topic=topic, source=pubmed, query=query, total=2)
    Outcome.objects.create(harvest=harvest, source_id_there="7", paper=paper, result="new")
    Outcome.objects.create(harvest=harvest, source_id_there="8", result="failed", reason="No title.")

    page = said(client.get(f"{HARVESTS}{harvest.pk}/change/"))
    assert "asthma[Title]" in page and "The 5 newest papers, entered since 1 Nov 2026" in page
    assert "Wheezing &lt;b&gt;in&lt;/b&gt; cats" in page and "No title." in page

    failed = said(client.get(f"{HARVESTS}{harvest.pk}/change/?result=failed"))
    assert "No title." in failed and "Wheezing" not in failed
    assert client.post(f"{HARVESTS}{harvest.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get(f"{HARVESTS}add/").status_code == 403
    assert "asthma" in said(client.get(f"{HARVESTS}?run={harvest.run_id}"))
    assert "<strong>asthma</strong>" not in said(client.get(f"{HARVESTS}?run=nonsense"))


def test_a_harvest_of_another_version_is_still_shown(client: Client, pubmed: Source) -> None:
    harvest = Harvest.objects.create(run_id=uuid.uuid4(), source=pubmed, query={"old": "words"})
    page = said(client.get(f"{HARVESTS}{harvest.pk}/change/"))
    assert "Known papers" in page


@pytest.mark.parametrize(
    "asked", ["wheezing cats", "10.1/CATS", "https://doi.org/10.1/cats", "doi:10.1/cats", "777", "2601.00007"]
)
def test_papers_are_found_by_title_and_by_identifier(client: Client, asked: str) -> None:
    Paper.objects.create(title="Wheezing in cats", doi="10.1/cats", pmid="777", arxiv_id="2601.00007")
    Paper.objects.create(title="Dogs", doi="10.1/dogs", pmid="7771", arxiv_id="2601.00008")

    page = said(client.get(PAPERS, {"q": asked}))

    assert "Wheezing in cats" in page and "Dogs" not in page


def test_a_paper_leads_to_its_page_and_is_not_edited(client: Client) -> None:
    paper = Paper.objects.create(title="Wheezing in cats", pmid="777")
    answer = client.get(f"{PAPERS}{paper.pk}/change/")
    assert answer.status_code == 302 and str(paper.pk) in answer["Location"]
    assert client.get(answer["Location"]).status_code == 200
    assert client.get(f"{PAPERS}add/").status_code == 403


def test_strange_filters_find_nothing(client: Client, pubmed: Source) -> None:
    Topic.objects.create(name="asthma")
    ResearchJob.objects.create(name="Insulin", keywords=["x"])
    Paper.objects.create(title="Wheezing in cats", pmid="777")
    for query in ("topic=nonsense", "topic=99999999999999999999999", "research_job=-1", "from=nowhere"):
        assert "Wheezing" not in said(client.get(f"{PAPERS}?{query}"))


# The policy and the services


def test_the_policy_is_one_row_that_is_changed_with_an_audit_row(client: Client) -> None:
    policy = KnowledgePolicy.current()
    page = client.get("/admin/knowledge/knowledgepolicy/", follow=True)
    assert page.status_code == 200
    typed = {
        "papers_per_topic": "9", "days_back": "7", "mode": "fast", "embedder": policy.embedder,
        "keep_papers_days": "", "keep_documents_days": "90", "keep_outcomes_days": "30", "answer_threshold": "0.4",
        "outdated_after_years": "10", "tell_failure": "on",
    }  # fmt: skip
    refused = client.post("/admin/knowledge/knowledgepolicy/1/change/", {**typed, "papers_per_topic": "21"})
    assert refused.status_code == 200 and KnowledgePolicy.current().papers_per_topic == 5

    assert client.post("/admin/knowledge/knowledgepolicy/1/change/", typed).status_code == 302
    assert (KnowledgePolicy.current().papers_per_topic, KnowledgePolicy.current().mode) == (9, "fast")
    assert AuditEvent.objects.filter(subject_type="knowledge.knowledgepolicy", action="changed").exists()
    assert client.post("/admin/knowledge/knowledgepolicy/1/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/knowledge/knowledgepolicy/add/").status_code == 403


def test_paces_are_shown_and_not_edited(client: Client) -> None:
    ServicePace.objects.create(service="pubmed", hold_reason="too many requests")
    assert "too many requests" in said(client.get("/admin/knowledge/servicepace/"))
    assert client.get("/admin/knowledge/embeddingmodel/").status_code == 200
    assert client.post("/admin/knowledge/servicepace/pubmed/delete/", {"post": "yes"}).status_code == 403
