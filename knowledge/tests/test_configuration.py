"""The configuration file is really read: once, and never against people."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs import schedules, sync
from jobs.models import Schedule
from jobs.when import When, when_of
from knowledge import configuration, connectors, topics
from knowledge.connectors import Query
from knowledge.errors import InvalidConfiguration
from knowledge.models import KnowledgePolicy, Source, Topic, TopicQuery

pytestmark = pytest.mark.django_db

OURS = """
[schedule]
cron = "30 3 * * *"
timezone = "Europe/Vienna"

[policy]
papers_per_topic = 9
days_back = 14
keep_papers_days = 3650

[[sources]]
name = "PubMed"
connector = "pubmed"

[[sources]]
name = "Our feed"
connector = "feeds"
addresses = ["https://guidelines.example/feed.xml"]

[[topics]]
name = "asthma"
priority = "high"
queries = { pubmed = "asthma[Title]", "Our feed" = "asthma OR wheezing" }

[[topics]]
name = "eczema"
papers_per_topic = 3
enabled = false
cron = "0 6 * * mon"
"""


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    file = tmp_path / "ours.toml"
    file.write_text(OURS, encoding="utf-8")
    return file


def test_the_defaults_are_eight_topics_with_their_priorities() -> None:
    loaded = configuration.load()

    high = ["cancer", "diabetes mellitus", "heart disease", "hypertension"]
    medium = ["COVID-19", "arthritis", "depression", "pneumonia"]
    found = {
        priority: sorted(Topic.objects.enabled().filter(priority=priority).values_list("name", flat=True))
        for priority in Topic.Priority
    }
    assert found == {Topic.Priority.HIGH: high, Topic.Priority.MEDIUM: medium, Topic.Priority.LOW: []}
    assert sorted(loaded.topics) == sorted(high + medium)
    assert set(Topic.objects.values_list("papers_per_run", "days_back")) == {(5, 7)}


def test_the_default_sources_are_enabled_and_known() -> None:
    configuration.load()

    found = {source.name: source for source in Source.objects.enabled()}
    assert set(found) == {"PubMed", "arXiv", "Europe PMC", "WHO", "CDC", "NIH"}
    assert all(source.connector in connectors.kinds() for source in found.values())
    assert all(found[name].addresses[0].startswith("https://") for name in ("WHO", "CDC", "NIH"))


def test_each_default_query_can_be_asked_at_its_source() -> None:
    configuration.load()

    queries = TopicQuery.objects.select_related("source")
    assert queries.count() >= 8 * 4
    for query in queries:
        connectors.get(query.source.connector).checked(Query(query.text))


def test_loading_again_changes_nothing() -> None:
    configuration.load()
    before = list(Topic.objects.order_by("pk").values())

    again = configuration.load()

    assert again == configuration.Loaded()
    assert str(again) == "Configuration of knowledge: nothing new."
    assert list(Topic.objects.order_by("pk").values()) == before


def test_what_people_edit_and_rename_stays_so() -> None:
    configuration.load()
    Topic.objects.filter(name="cancer").update(name="oncology", papers_per_run=17, is_enabled=False)
    Source.objects.filter(name="arXiv").update(is_enabled=False)
    KnowledgePolicy.objects.update(papers_per_topic=11)

    configuration.load()

    assert Topic.objects.count() == 8
    assert Topic.objects.get(name="oncology").papers_per_run == 17
    assert not Source.objects.get(name="arXiv").is_enabled
    assert KnowledgePolicy.current().papers_per_topic == 11


def test_what_people_delete_does_not_come_back() -> None:
    configuration.load()
    topics.delete(Topic.objects.get(name="arthritis"), by=None)
    Source.objects.get(name="NIH").delete()

    configuration.load()

    assert not Topic.objects.filter(name="arthritis").exists()
    assert not Source.objects.filter(name="NIH").exists()


def test_a_new_entry_of_the_file_appears(ours: Path) -> None:
    configuration.load(ours)
    ours.write_text(OURS + '\n[[topics]]\nname = "hay fever"\n', encoding="utf-8")

    assert configuration.load(ours) == configuration.Loaded(topics=("hay fever",))


def test_a_topic_that_somebody_has_made_already_is_left_as_it_is(ours: Path) -> None:
    Topic.objects.create(name="asthma", days_back=3)

    assert configuration.load(ours).topics == ("eczema",)
    assert Topic.objects.get(name="asthma").days_back == 3


def test_topics_take_the_figures_of_the_policy_unless_they_say_their_own(ours: Path) -> None:
    configuration.load(ours)

    asthma, eczema = Topic.objects.order_by("name")
    assert (asthma.papers_per_run, asthma.days_back, asthma.priority) == (9, 14, Topic.Priority.HIGH)
    assert (eczema.papers_per_run, eczema.days_back, eczema.is_enabled) == (3, 14, False)
    assert KnowledgePolicy.current().keep_papers_days == 3650


def test_queries_are_named_by_connector_or_by_source(ours: Path) -> None:
    configuration.load(ours)

    found = {query.source.name: query.text for query in TopicQuery.objects.select_related("source")}
    assert found == {"PubMed": "asthma[Title]", "Our feed": "asthma OR wheezing"}


def test_a_topic_may_have_a_schedule_of_its_own(ours: Path) -> None:
    configuration.load(ours)

    eczema = Topic.objects.get(name="eczema")
    assert topics.cron_of(eczema) == "0 6 * * mon"
    assert eczema.schedule is not None and not eczema.schedule.enabled


def test_the_files_timing_is_given_to_the_nightly_update_once(ours: Path) -> None:
    sync.sync_schedules()

    assert configuration.load(ours).has_schedule

    nightly = topics.nightly()
    assert nightly is not None and when_of(nightly) == When(cron="30 3 * * *", timezone="Europe/Vienna")
    row = Schedule.objects.get(pk=nightly.pk)
    schedules.set_enabled(row, False, by=None)
    assert not configuration.load(ours).has_schedule
    assert not Schedule.objects.get(pk=row.pk).enabled


def test_the_nightly_updates_timing_that_somebody_has_chosen_is_kept(ours: Path) -> None:
    sync.sync_schedules()
    nightly = topics.nightly()
    assert nightly is not None
    row = Schedule.objects.get(pk=nightly.pk)
    wish = schedules.wish_of(row)
    schedules.change(row, type(wish)(**{**vars(wish), "when": When(cron="15 4 * * *")}), by=None)

    assert not configuration.load(ours).has_schedule
    assert when_of(Schedule.objects.get(pk=row.pk)).cron == "15 4 * * *"


def test_the_setting_names_a_file_of_ones_own(ours: Path, settings: Any) -> None:
    settings.KNOWLEDGE_CONFIG = str(ours)

    call_command("knowledge", "configure")

    assert set(Topic.objects.values_list("name", flat=True)) == {"asthma", "eczema"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\nmode = fast\ndays_back = 7", "line 2"),
        ('[[topics]]\nname = "asthma"\npriority = "urgent"', "topics “asthma”: priority: Input should be"),
        ('[[topics]]\nname = "asthma"\ndays_bakc = 7', "topics “asthma”: days_bakc: Extra inputs"),
        ("[[topics]]\npriority = 'low'", "topics, number 1: name: Field required"),
        ("[policy]\npapers_per_topic = 21", "policy.papers_per_topic: Input should be less than"),
        ("[policy]\ndays_back = 0", "policy.days_back: Input should be greater than"),
        ('[policy]\ndays_back = "7"', "policy.days_back: Input should be a valid integer"),
        ("[[topics]]\nname = 'a'\n[[topics]]\nname = 'a'", "topics “a”: there are two of this name."),
        (
            "[[sources]]\nname = 'X'\nconnector = 'nowhere'",
            "sources “X”: connector: there is none named “nowhere”",
        ),
        (
            "[[topics]]\nname = 'a'\nqueries = { pubmde = 'a' }",
            "topics “a”: queries.pubmde: there is no source or connector",
        ),
        ("topics = 3", "topics: Input should be a valid list"),
        ("topics = ['asthma']", "topics, number 1: Input should be a valid dictionary"),
        ("[surprise]", "surprise: Extra inputs are not permitted"),
        ("[[topics]]\nname = 'a'\ncron = 'now and then'", "topics “a”: cron:"),
        (
            "[[sources]]\nname = 'P'\nconnector = 'pubmed'\n[[topics]]\nname = 'a'\nqueries = { pubmed = '(a' }",
            "topics “a”: queries: P: The query has a bracket",
        ),
    ],
)
def test_a_bad_file_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(CommandError) as caught:
        call_command("knowledge", "configure", str(file))

    assert str(file) in str(caught.value)
    assert said in str(caught.value)
    assert not Topic.objects.exists() and not Source.objects.exists()


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        configuration.load(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidConfiguration, match="cannot be read"):
        configuration.load(tmp_path / "binary.toml")
