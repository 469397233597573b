"""Topics: made, changed, previewed and run by people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from jobs import schedules, sync
from jobs.errors import IllegalState
from jobs.models import AuditEvent, JobRun, Schedule
from knowledge import topics
from knowledge.errors import InvalidTopic
from knowledge.models import Source, Topic, TopicQuery
from knowledge.tests.arxiv_server import ArxivServer
from knowledge.tests.literature import Literature, Paper
from knowledge.tests.ncbi_server import NcbiServer
from knowledge.topics import SourceQuery

pytestmark = pytest.mark.django_db
ADMIN = JobRun.Trigger.ADMIN


@pytest.fixture
def pubmed() -> Source:
    return Source.objects.create(name="PubMed", connector="pubmed")


@pytest.fixture
def arxiv_source() -> Source:
    return Source.objects.create(name="arXiv", connector="arxiv")


def made(name: str = "asthma", **said: Any) -> Topic:
    queries, cron = said.pop("queries", None), said.pop("cron", None)
    return topics.save(Topic(), {"name": name, **said}, queries=queries, cron=cron, by=None)


def problems_of(error: pytest.ExceptionInfo[InvalidTopic]) -> dict[str, str]:
    return {name: " ".join(reasons) for name, reasons in error.value.fields.items()}


def test_a_topic_is_saved_and_told_in_the_audit_trail(admin_user: Any) -> None:
    topic = topics.save(Topic(), {"name": "  hay   fever "}, by=admin_user)

    assert Topic.objects.get().name == "hay fever"
    event = AuditEvent.objects.get()
    assert (event.subject, event.action, event.who) == ("hay fever", "added", admin_user.username)
    assert (topic.papers_per_run, topic.days_back, topic.schedule) == (5, 7, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("papers_per_run", 0),
        ("papers_per_run", 21),
        ("days_back", 0),
        ("days_back", 91),
        ("priority", 9),
    ],
)
def test_what_is_out_of_range_is_refused_by_field(field: str, value: Any) -> None:
    with pytest.raises(InvalidTopic) as error:
        made(**{field: value})

    assert list(problems_of(error)) == [field]
    assert not Topic.objects.exists()


def test_two_topics_of_one_name_are_refused() -> None:
    made("asthma")
    with pytest.raises(InvalidTopic) as error:
        made("asthma")
    assert "name" in problems_of(error)


def test_a_source_without_a_query_is_asked_for_the_name(pubmed: Source, arxiv_source: Source) -> None:
    topic = made(queries=[SourceQuery(pubmed, "asthma[Title]")])

    assert topics.asked_for(topic) == [
        SourceQuery(pubmed, "asthma[Title]"),
        SourceQuery(arxiv_source, "asthma"),
    ]


def test_disabled_sources_and_queries_are_left_out(pubmed: Source, arxiv_source: Source) -> None:
    topic = made(queries=[SourceQuery(pubmed, is_enabled=False)])
    assert [one.source for one in topics.asked_for(topic)] == [arxiv_source]

    Source.objects.filter(pk=arxiv_source.pk).update(is_enabled=False)
    assert topics.asked_for(topic) == []


def test_queries_are_replaced_as_a_whole_or_left_alone(pubmed: Source, arxiv_source: Source) -> None:
    topic = made(queries=[SourceQuery(pubmed, "one")])

    topics.save(topic, {"days_back": 8}, by=None)
    assert TopicQuery.objects.get().text == "one"

    topics.save(topic, {}, queries=[SourceQuery(arxiv_source, "two")], by=None)
    assert [(one.source, one.text) for one in TopicQuery.objects.all()] == [(arxiv_source, "two")]


def test_a_query_that_its_source_cannot_read_is_refused_with_the_reason(pubmed: Source) -> None:
    with pytest.raises(InvalidTopic) as error:
        made(queries=[SourceQuery(pubmed, "(asthma")])

    assert problems_of(error) == {
        "queries": "PubMed: The query has a bracket or a quotation mark without its other half."
    }


def test_a_source_that_is_named_twice_is_refused(pubmed: Source) -> None:
    with pytest.raises(InvalidTopic, match="named twice"):
        made(queries=[SourceQuery(pubmed, "a"), SourceQuery(pubmed, "b")])


def test_a_cron_expression_gives_the_topic_a_schedule_of_its_own() -> None:
    topic = made(cron="0 6 * * *")

    row = topic.schedule
    assert row is not None
    assert (row.task, row.kwargs) == (
        "knowledge.update_knowledge_base",
        f'{{"days_back": null, "papers_per_topic": null, "topics": [{topic.pk}]}}',
    )
    assert topics.next_run_at(topic, datetime(2026, 3, 1, 12, tzinfo=UTC)) == datetime(
        2026, 3, 2, 6, tzinfo=UTC
    )


def test_a_changed_expression_changes_the_schedule_and_keeps_what_people_set_there() -> None:
    topic = made(cron="0 6 * * *")
    assert topic.schedule is not None
    row = Schedule.objects.get(pk=topic.schedule.pk)
    wish = schedules.wish_of(row)
    schedules.change(row, type(wish)(**{**vars(wish), "catch_up": "all"}), by=None)

    topics.save(Topic.objects.get(), {"name": "asthma of adults"}, cron="0 7 * * *", by=None)

    row = Schedule.objects.get()
    assert (row.name, topics.cron_of(Topic.objects.get())) == ("Topic: asthma of adults", "0 7 * * *")
    assert schedules.wish_of(row).catch_up == "all"


def test_an_empty_expression_ends_the_schedule() -> None:
    topic = made(cron="0 6 * * *")

    topic = topics.save(topic, {}, cron="", by=None)

    assert topic.schedule is None
    assert not Schedule.objects.exists()


@pytest.mark.parametrize("cron", ["60 * * * *", "every day", "* * *", "0 0 30 2 *"])
def test_an_expression_that_never_fires_is_refused_at_its_field(cron: str) -> None:
    with pytest.raises(InvalidTopic) as error:
        made(cron=cron)

    assert list(problems_of(error)) == ["cron"]
    assert not Topic.objects.exists() and not Schedule.objects.exists()


def test_switching_a_topic_off_switches_its_schedule_off(admin_user: Any) -> None:
    topic = made(cron="0 6 * * *")

    topics.set_enabled(topic, False, by=admin_user)

    topic = Topic.objects.get()
    assert not topic.is_enabled and not Schedule.objects.get().enabled
    assert topics.next_run_at(topic, timezone.now()) is None
    topics.set_enabled(topic, True, by=admin_user)
    assert Schedule.objects.get().enabled


def test_a_topic_without_a_schedule_is_updated_with_the_nightly_run() -> None:
    topic = made()
    assert topics.next_run_at(topic, timezone.now()) is None

    sync.sync_schedules()

    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert topics.next_run_at(topic, now) == datetime(2026, 3, 2, 2, tzinfo=UTC)


def test_deleting_a_topic_deletes_its_schedule(admin_user: Any) -> None:
    topic = made(cron="0 6 * * *")

    topics.delete(topic, by=admin_user)

    assert not Topic.objects.exists() and not Schedule.objects.exists()
    assert AuditEvent.objects.filter(action="deleted", subject="asthma").exists()


def test_running_topics_queues_one_run_for_all(admin_user: Any) -> None:
    first, second = made("asthma"), made("eczema")

    run = topics.run([first, second], papers_per_topic=3, days_back=30, by=admin_user, trigger=ADMIN)

    assert (run.job, run.parameters) == (
        "knowledge.update_knowledge_base",
        {"topics": [first.pk, second.pk], "papers_per_topic": 3, "days_back": 30},
    )
    assert run.requested_by == admin_user


def test_asking_twice_with_one_key_gives_the_same_run() -> None:
    topic = made()
    first = topics.run([topic], by=None, trigger=ADMIN, idempotency_key="k")
    assert topics.run([topic], by=None, trigger=ADMIN, idempotency_key="k") == first


def test_a_disabled_topic_is_not_run() -> None:
    topic = made(is_enabled=False)
    with pytest.raises(IllegalState, match="asthma is disabled"):
        topics.run([topic], by=None, trigger=ADMIN)
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    ("name", "number"), [("papers_per_topic", 0), ("papers_per_topic", 21), ("days_back", 91)]
)
def test_figures_out_of_range_are_refused_by_field(name: str, number: int) -> None:
    figures: dict[str, Any] = {name: number}
    with pytest.raises(InvalidTopic) as error:
        topics.run([made()], **figures, by=None, trigger=ADMIN)
    assert list(problems_of(error)) == [name]


@pytest.mark.django_db(transaction=True)
def test_a_preview_shows_what_each_source_understood(
    pubmed: Source, arxiv_source: Source, ncbi: NcbiServer, arxiv: ArxivServer, literature: Literature
) -> None:
    entered = timezone.now().date() - timedelta(days=2)
    literature.add(
        Paper("Insulin and outcome", (), pmid="30000001", entered=entered, published=entered),
        Paper("Insulin by models", (), arxiv_id="2601.00001", entered=entered, published=entered),
    )
    topic = made("insulin", days_back=90, queries=[SourceQuery(pubmed, "insulin OR abcXYZ")])

    from_pubmed, from_arxiv = topics.preview(topic)

    assert (from_arxiv.hits, from_arxiv.problem, from_arxiv.text) == (1, "", "insulin")
    assert "insulin" in from_arxiv.translated and "submittedDate" in from_arxiv.translated
    assert from_pubmed.hits == 1
    assert from_pubmed.warnings == ("PubMed does not know “abcXYZ” and has left it out.",)


@pytest.mark.django_db(transaction=True)
def test_one_source_that_fails_does_not_hide_the_others(
    pubmed: Source, arxiv_source: Source, ncbi: NcbiServer, settings: Any
) -> None:
    settings.ARXIV_URL = "http://127.0.0.1:9/api"  # nothing is allowed there
    Source.objects.create(name="gone", connector="nowhere")

    found = {one.source.name: one for one in topics.preview(made("insulin"))}

    assert "not allowed" in found["arXiv"].problem and found["arXiv"].hits is None
    assert "There is no connector named 'nowhere'" in found["gone"].problem
    assert found["PubMed"].hits is not None


@pytest.mark.django_db(transaction=True)
def test_a_preview_may_be_of_one_source(pubmed: Source, arxiv_source: Source, ncbi: NcbiServer) -> None:
    assert [one.source for one in topics.preview(made("insulin"), pubmed)] == [pubmed]


def test_only_people_leave_audit_rows() -> None:
    made()
    assert not AuditEvent.objects.exists()
    assert get_user_model().objects.count() == 0


def test_the_last_update_is_not_touched_by_changes() -> None:
    topic = made()
    at = timezone.now() - timedelta(days=1)
    Topic.objects.update(updated_at=at)

    topics.save(topic, {"days_back": 3}, by=None)

    assert Topic.objects.get().updated_at == at
