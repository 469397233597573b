"""The admin's pages of topics: what they brought in, their queries, and what is refused at its field."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from jobs import schedules
from jobs.models import JobRun, Schedule
from jobs.tests.staff import signed_in, staff
from jobs.when import When
from knowledge import topics
from knowledge.models import Finding, Harvest, Outcome, Paper, Source, Topic, TopicQuery
from knowledge.topics import SourceQuery

pytestmark = pytest.mark.django_db

LIST = "/admin/knowledge/topic/"
LOOK = ("knowledge.view_topic", "knowledge.view_harvest", "knowledge.view_paper", "jobs.view_jobrun")


@pytest.fixture
def client() -> Client:
    return signed_in(
        staff(*LOOK, *(f"knowledge.{what}_topic" for what in ("add", "change", "delete", "run")))
    )


@pytest.fixture
def pubmed() -> Source:
    return Source.objects.create(name="PubMed", connector="pubmed")


@pytest.fixture
def arxiv_source() -> Source:
    return Source.objects.create(name="arXiv", connector="arxiv")


def form(**fields: Any) -> dict[str, Any]:
    return {"name": "asthma", "priority": "1", "papers_per_run": "7", "days_back": "9", "cron": "", **fields}


def page_of(topic: Topic) -> str:
    return f"{LIST}{topic.pk}/change/"


def harvested(topic: Topic, source: Source, **fields: Any) -> Harvest:
    run_id = "00000000-0000-4000-8000-000000000001"
    values = {"run_id": run_id, "query": {}, "state": "done", "ended_at": timezone.now()}
    return Harvest.objects.create(topic=topic, source=source, **{**values, **fields})


def test_a_topic_is_added_with_its_queries_and_its_schedule(
    client: Client, pubmed: Source, arxiv_source: Source
) -> None:
    page = client.get(f"{LIST}add/").content.decode()
    assert f"query-text_{pubmed.pk}" in page and f"query-asked_{arxiv_source.pk}" in page

    answer = client.post(
        f"{LIST}add/",
        form(
            cron="0 6 * * *",
            **{f"query-text_{pubmed.pk}": "asthma[Title]", f"query-asked_{pubmed.pk}": "on"},
        ),
    )

    topic = Topic.objects.get()
    assert answer["Location"] == page_of(topic)
    assert (topic.priority, topic.papers_per_run, topic.days_back) == (1, 7, 9)
    queries = {query.source: (query.text, query.is_enabled) for query in TopicQuery.objects.all()}
    assert queries == {pubmed: ("asthma[Title]", True), arxiv_source: ("", False)}
    assert topics.cron_of(topic) == "0 6 * * *"
    page = client.get(page_of(topic)).content.decode()
    assert "asthma[Title]" in page and 'value="0 6 * * *"' in page and "At 06:00" in page


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": ""}, "This field is required"),
        ({"papers_per_run": "21"}, "less than or equal to 20"),
        ({"days_back": "91"}, "less than or equal to 90"),
        ({"cron": "99 * * * *"}, "99"),
        ({"priority": "7"}, "Select a valid choice"),
    ],
)
def test_what_is_refused_stands_in_the_form_and_nothing_is_saved(
    client: Client, wrong: dict[str, str], said: str
) -> None:
    page = client.post(f"{LIST}add/", form(**wrong))

    assert page.status_code == 200 and said in page.content.decode()
    assert not Topic.objects.exists() and not Schedule.objects.exists()


def test_a_query_without_its_bracket_is_refused_by_the_sources_name(client: Client, pubmed: Source) -> None:
    typed = {f"query-text_{pubmed.pk}": "(asthma", f"query-asked_{pubmed.pk}": "on"}
    page = client.post(f"{LIST}add/", form(**typed)).content.decode()

    assert "PubMed: The query has a bracket" in page and "(asthma" in page
    assert not Topic.objects.exists()


def test_an_unknown_topic_is_404_and_a_strange_one_too(client: Client) -> None:
    assert client.get(f"{LIST}999/change/").status_code in {302, 404}
    assert client.get(f"{LIST}999/run/").status_code == 404
    assert client.get(f"{LIST}preview/?cron=@daily&of=999").status_code == 404


def test_the_page_tells_what_came_in_and_what_failed(
    client: Client, pubmed: Source, arxiv_source: Source
) -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, by=None)
    paper = Paper.objects.create(title="Wheezing in cats", sources=["pubmed"], is_retracted=True)
    Finding.objects.create(paper=paper, topic=topic)
    done = harvested(topic, pubmed)
    Outcome.objects.create(harvest=done, source_id_there="1", paper=paper, result="new")
    Outcome.objects.create(harvest=done, source_id_there="2", result="failed", reason="No title.")
    harvested(topic, arxiv_source, state="failed", problem="arXiv is <busy>.")

    page = client.get(page_of(topic)).content.decode()

    assert "New papers by week, 26 weeks: 1 paper in all" in page
    assert "knowledge-plot--pubmed" in page and "Wheezing in cats" in page and "Retracted" in page
    assert "arXiv is &lt;busy&gt;." in page and "partly" in page
    listed = client.get(LIST).content.decode()
    assert "1 source failed" in listed and f"?topic={topic.pk}" in listed


def test_papers_of_one_topic_are_listed(client: Client) -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, by=None)
    mine, other = (Paper.objects.create(title=title, pmid=title[-1]) for title in ("Mine 1", "Other 2"))
    Finding.objects.create(paper=mine, topic=topic)

    page = client.get(f"/admin/knowledge/paper/?topic={topic.pk}").content.decode()

    assert mine.title in page and other.title not in page


def test_an_update_is_asked_for_with_other_figures(client: Client) -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, by=None)
    address = f"{LIST}{topic.pk}/run/"
    assert "less than or equal to 20" in client.post(address, {"papers_per_topic": "21"}).content.decode()
    assert not JobRun.objects.exists()

    answer = client.post(address, {"papers_per_topic": "3", "days_back": ""})

    run = JobRun.objects.get()
    assert answer["Location"] == f"/admin/jobs/jobrun/{run.pk}/change/"
    assert run.parameters == {"topics": [topic.pk], "papers_per_topic": 3, "days_back": None}
    assert run.trigger == JobRun.Trigger.ADMIN
    assert f"/admin/knowledge/harvest/?run={run.pk}" in client.get(answer["Location"]).content.decode()


def test_a_disabled_topic_is_not_updated(client: Client) -> None:
    topic = topics.save(Topic(), {"name": "asthma", "is_enabled": False}, by=None)

    page = client.post(f"{LIST}{topic.pk}/run/", {}).content.decode()

    assert "asthma is disabled." in page and not JobRun.objects.exists()


def test_chosen_topics_are_updated_in_one_run(client: Client) -> None:
    chosen = [topics.save(Topic(), {"name": name}, by=None).pk for name in ("a", "b")]

    client.post(LIST, {"action": "update_now", "_selected_action": chosen})

    assert sorted(JobRun.objects.get().parameters["topics"]) == sorted(chosen)


def test_switching_and_deleting(client: Client) -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, cron="@daily", by=None)

    client.post(f"{LIST}{topic.pk}/disable/")
    assert not Topic.objects.get().is_enabled and not Schedule.objects.get().enabled
    client.post(f"{LIST}{topic.pk}/enable/")
    assert Topic.objects.get().is_enabled
    assert client.get(f"{LIST}{topic.pk}/enable/").status_code == 405
    client.post(f"{LIST}{topic.pk}/delete/", {"post": "yes"})
    assert not Topic.objects.exists() and not Schedule.objects.exists()


def test_who_may_only_look_can_change_nothing() -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, by=None)
    viewer = signed_in(staff(*LOOK))

    page = viewer.get(page_of(topic)).content.decode()

    assert "jobs-plain jobs-form" in page and " disabled" in page and 'name="_save"' not in page
    assert viewer.post(page_of(topic), form(name="mine")).status_code == 403
    for control in ("run", "enable", "disable"):
        assert viewer.post(f"{LIST}{topic.pk}/{control}/").status_code == 403
    assert viewer.post(f"{LIST}{topic.pk}/delete/", {"post": "yes"}).status_code == 403
    assert viewer.get(f"{LIST}preview/?cron=@daily").status_code == 403
    assert Topic.objects.get().name == "asthma"


def test_operators_update_but_do_not_change() -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, by=None)
    operator = signed_in(staff("knowledge.view_topic", "knowledge.run_topic"))

    assert operator.post(f"{LIST}{topic.pk}/run/", {}).status_code == 302
    assert operator.post(f"{LIST}{topic.pk}/disable/").status_code == 403
    assert operator.post(page_of(topic), form()).status_code == 403


def test_the_expression_is_previewed_while_one_types(client: Client) -> None:
    shown = client.get(f"{LIST}preview/", {"cron": "0 6 * * *"}).json()["html"]
    assert "At 06:00" in shown
    wrong = client.get(f"{LIST}preview/", {"cron": "0 99 * * *"}).json()["html"]
    assert "99" in wrong and "jobs-note--bad" in wrong
    assert "nightly update" in client.get(f"{LIST}preview/", {"cron": ""}).json()["html"]


@pytest.mark.django_db(transaction=True)
def test_queries_are_tried_before_anything_is_saved(pubmed: Source, settings: Any) -> None:
    settings.PUBMED_URL = "http://127.0.0.1:9/entrez"  # nothing is allowed there
    client = signed_in(staff(*LOOK, "knowledge.add_topic"))
    typed = {f"query-text_{pubmed.pk}": "asthma[Title]", f"query-asked_{pubmed.pk}": "on", "_queries": "1"}

    page = client.post(f"{LIST}add/", form(**typed)).content.decode()

    assert "private or reserved network" in page and "asthma[Title]" in page
    assert not Topic.objects.exists()


def test_a_schedule_with_another_rule_is_told_and_kept(client: Client, pubmed: Source) -> None:
    topic = topics.save(Topic(), {"name": "asthma"}, queries=[SourceQuery(pubmed)], cron="@daily", by=None)
    row = Schedule.objects.get()
    wish = schedules.wish_of(row)
    schedules.change(row, type(wish)(**{**vars(wish), "when": When(interval="6 hours")}), by=None)

    page = client.get(page_of(topic)).content.decode()
    assert "another rule than a cron expression" in page and "6 hours" in page
    client.post(page_of(topic), form())
    assert Schedule.objects.get().interval.every == 6
