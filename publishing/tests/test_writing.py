"""Letting agents write: nothing paid twice, no quota overdrawn, no post made twice, and nothing doubtful goes out."""

import threading
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest
from django.db import connections
from django.utils import timezone

from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job, retry_run
from jobs.errors import PermanentError
from jobs.models import JobRun
from publishing import controls, quotas, tasks, writers
from publishing.errors import QuotaExceeded
from publishing.models import FeedItem, Generation, ItemUse, Post, Publication, UsageRecord
from publishing.tests.articles import articles
from publishing.tests.factories import make_agent, make_item, make_post, make_publisher, make_source
from publishing.tests.scripted_writer import ESTIMATE, install
from publishing.writers import TooLittle, Unfinished, Usage, WriterRefused, WriterUnavailable
from publishing.writing import Written, next_free_day

pytestmark = pytest.mark.django_db

State = FeedItem.State
Workflow = "draft", "review", "scheduled", "auto"


@pytest.fixture
def writer(monkeypatch):
    return install(monkeypatch)


@pytest.fixture
def agent(writer):
    return make_agent(writer="scripted")


def asked(agent, **parameters) -> JobRun:
    return enqueue(
        get_job("publishing.generate_post"),
        {"agent_id": agent.pk, **parameters},
        trigger=JobRun.Trigger.CODE,
    )


def attempt(run: JobRun, number: int = 1) -> Written:
    return tasks.generate_post(ActiveRun(run.pk, attempt=number), **run.parameters)


def end(run: JobRun) -> None:
    """As if the run had failed for good."""
    JobRun.objects.filter(pk=run.pk).update(status=JobRun.Status.FAILED, finished_at=timezone.now())


def states(agent) -> list[str]:
    items = FeedItem.objects.filter(source__agents=agent).order_by("pk")
    return list(items.values_list("state", flat=True))


# What is written


def test_a_post_is_written_of_the_new_items_and_says_what_it_stands_on(agent):
    written = attempt(asked(agent))
    post = Post.objects.get()
    assert post.pk == written.post_id
    assert written.is_written and post.agent == agent and post.status == "in_review"
    assert {source.item for source in post.sources.all()} == set(FeedItem.objects.all())
    assert post.word_count > 400 and post.score == written.score
    assert states(agent) == ["generated"] * 3
    assert post.notes[0] == "It is scripted."


def test_a_digest_of_real_items_becomes_a_draft_that_links_each_of_its_sources():
    source = make_source(name="Harbour")
    for article in articles(12):
        make_item(source, title=article.title, url=article.url, content_html=article.html)
    agent = make_agent(sources=[source], length="short", workflow="draft")
    attempt(asked(agent))
    post = Post.objects.get()
    assert post.status == "draft" and post.word_count >= 400
    assert post.sources.count() >= 2
    assert all(source.url in post.body_html for source in post.sources.all())


def test_with_nothing_new_nothing_is_written_and_nothing_paid(agent, writer):
    attempt(asked(agent))
    written = attempt(asked(agent))
    assert not written.is_written and Post.objects.count() == 1
    assert writer.made["outline"] == 1


def test_items_that_the_text_does_not_use_are_free_for_the_next_post(agent, writer):
    writer.most_items = 1
    attempt(asked(agent))
    assert sorted(states(agent)) == ["generated", "seen", "seen"]
    assert ItemUse.objects.count() == 1


def test_an_item_is_used_by_each_of_two_agents_and_by_neither_twice(agent):
    other = make_agent(writer="scripted", sources=agent.sources.all())
    assert attempt(asked(agent)).is_written and attempt(asked(other)).is_written
    assert not attempt(asked(agent)).is_written and not attempt(asked(other)).is_written


def test_a_replayed_item_is_used_again(agent):
    attempt(asked(agent))
    controls.replay(FeedItem.objects.filter(source__agents=agent), by=None)
    assert attempt(asked(agent)).is_written


def test_old_items_and_those_that_are_to_be_left_out_are_not_used(agent, writer):
    FeedItem.objects.update(published_at=timezone.now() - timedelta(days=15))
    assert not attempt(asked(agent)).is_written
    FeedItem.objects.update(published_at=None, state=State.SKIPPED)
    assert not attempt(asked(agent)).is_written


def test_a_post_of_one_item_has_it_first_and_takes_its_title_for_topic_and_keyword(agent):
    wanted = FeedItem.objects.order_by("pk").first()
    assert wanted is not None
    attempt(asked(agent, item_id=wanted.pk, topic=wanted.title, keyword="tides"))
    brief = Generation.objects.get().brief
    assert brief["items"][0]["id"] == wanted.pk and len(brief["items"]) == 3
    assert (brief["topic"], brief["keyword"]) == (wanted.title, "tides")


def test_a_disabled_agent_and_one_that_is_gone_write_nothing(agent):
    agent.is_enabled = False
    agent.save()
    with pytest.raises(PermanentError, match="is disabled"):
        attempt(asked(agent))
    with pytest.raises(PermanentError, match="no agent 999"):
        tasks.generate_post(ActiveRun(asked(agent).pk, attempt=1), agent_id=999)


# Going on after trouble


def test_a_retry_makes_only_the_steps_that_are_missing(agent, writer):
    writer.failures["meta"] = [WriterUnavailable("The model does not answer.")]
    run = asked(agent)
    with pytest.raises(WriterUnavailable):
        attempt(run)
    assert attempt(run, 2).is_written
    assert writer.made == {"outline": 1, "body": 1, "meta": 2}
    assert Generation.objects.count() == Post.objects.count() == 1
    assert UsageRecord.objects.count() == 3


def test_a_run_that_is_repeated_by_hand_goes_on_where_the_failed_one_stopped(agent, writer):
    writer.failures["meta"] = [Unfinished("The text breaks off.", usage=Usage(tokens_out=7, calls=1))]
    run = asked(agent)
    with pytest.raises(Unfinished):
        attempt(run)
    end(run)
    assert states(agent) == ["failed"] * 3 and Post.objects.count() == 0
    again = retry_run(JobRun.objects.get(pk=run.pk), by=None)
    assert attempt(again).is_written
    assert writer.made["body"] == 1 and states(agent) == ["generated"] * 3
    assert list(UsageRecord.objects.order_by("pk").values_list("step", "has_result")) == [
        *(("outline", True), ("body", True), ("meta", False), ("meta", True))
    ]


def test_an_attempt_after_the_post_was_made_gives_that_post(agent, writer):
    run = asked(agent)
    first, second = attempt(run), attempt(run, 2)
    assert first.post_id == second.post_id and Post.objects.count() == 1
    assert writer.made == {"outline": 1, "body": 1, "meta": 1}


def test_a_run_that_ended_in_the_middle_gives_its_items_back(agent, writer):
    writer.failures["body"] = [WriterUnavailable("The model does not answer.")]
    run = asked(agent)
    with pytest.raises(WriterUnavailable):
        attempt(run)
    assert states(agent) == ["queued"] * 3
    end(run)
    assert attempt(asked(agent)).is_written
    left = Generation.objects.order_by("pk")[0]
    assert left.state == "failed" and "run ended" in left.reason


def test_an_attempt_that_was_taken_for_dead_makes_no_post(agent, writer, monkeypatch):
    """Its run ended elsewhere, and another run has begun, while the model was still writing."""
    run = asked(agent)
    meta = writer.meta

    def slow_meta(brief, body):
        monkeypatch.setattr(writer, "meta", meta)
        end(run)
        assert attempt(asked(agent)).is_written
        return meta(brief, body)

    monkeypatch.setattr(writer, "meta", slow_meta)
    with pytest.raises(PermanentError, match="given up"):
        attempt(run)
    assert Post.objects.count() == 1


def test_too_little_material_keeps_the_items_for_later(agent, writer):
    writer.failures["outline"] = [TooLittle("There is material for 90 words.")]
    with pytest.raises(TooLittle):
        attempt(asked(agent))
    assert states(agent) == ["seen"] * 3
    assert attempt(asked(agent)).is_written


def test_a_text_without_words_is_no_post(agent, writer):
    writer.html = "<p><img src='https://x.example/a.png' alt=''></p>"
    with pytest.raises(WriterRefused, match="without words"):
        attempt(asked(agent))
    assert Post.objects.count() == 0 and Generation.objects.get().state == "failed"


# Quotas


def test_what_every_call_took_is_written_down(agent):
    written = attempt(asked(agent))
    record = UsageRecord.objects.filter(step="body").get()
    assert (record.model, record.tokens_in, record.tokens_out, record.cost) == (
        "scripted-1",
        1000,
        500,
        Decimal("0.25"),
    )
    assert (written.tokens, written.cost) == (4_500, Decimal("0.75"))


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ({"daily_posts": 1}, "1 posts a day"),
        ({"monthly_posts": 1, "daily_posts": None}, "1 posts a month"),
        ({"daily_tokens": 10_000}, "10,000 tokens a day"),
        ({"monthly_cost": Decimal("1.50")}, r"\$1.50 a month"),
    ],
)
def test_a_quota_that_has_no_room_stops_before_anything_is_paid(writer, limit, told):
    agent = make_agent(writer="scripted", **limit)
    attempt(asked(agent))
    make_item(agent.sources.get())
    with pytest.raises(QuotaExceeded, match=told):
        attempt(asked(agent))
    assert writer.made["outline"] == 1 and states(agent)[-1] == "seen"


def test_a_failed_post_gives_its_place_back_but_not_what_was_paid(agent, writer):
    writer.failures["body"] = [WriterRefused("The model will not.", usage=Usage(tokens_in=3, calls=1))]
    with pytest.raises(WriterRefused):
        attempt(asked(agent))
    taken = quotas.used(agent, agent.day_began(timezone.now()))
    assert (taken.posts, taken.tokens, taken.cost) == (0, 1_503, Decimal("0.25"))


def test_what_is_being_written_counts_with_what_it_will_probably_take(agent, writer):
    writer.failures["body"] = [WriterUnavailable("Later.")]
    run = asked(agent)
    with pytest.raises(WriterUnavailable):
        attempt(run)
    taken = quotas.used(agent, agent.day_began(timezone.now()))
    assert (taken.posts, taken.cost) == (1, ESTIMATE.cost)
    assert taken.tokens == ESTIMATE.tokens_in + ESTIMATE.tokens_out
    end(run)
    taken = quotas.used(agent, agent.day_began(timezone.now()))
    assert (taken.posts, taken.tokens) == (0, 1_500)


def test_days_and_months_begin_in_the_time_zone_of_the_agent():
    agent = make_agent(timezone="Asia/Tokyo")
    at = datetime(2026, 3, 31, 16, 30, tzinfo=UTC)
    assert agent.day_began(at) == datetime(2026, 3, 31, 15, tzinfo=UTC)
    assert agent.month_began(at) == datetime(2026, 3, 31, 15, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_with_a_quota_of_ten_make_exactly_ten_posts(writer):
    agent = make_agent(writer="scripted", daily_posts=10, sources=[], topic="Tides")
    runs = [asked(agent) for _ in range(50)]
    together = threading.Barrier(len(runs))
    ends: list[str] = []

    def work(run: JobRun) -> None:
        try:
            together.wait(30)
            attempt(run)
            ends.append("written")
        except QuotaExceeded:
            ends.append("refused")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (ends.count("written"), ends.count("refused")) == (10, 40)
    assert Post.objects.count() == writer.made["body"] == 10


# What becomes of it


@pytest.mark.parametrize(
    ("workflow", "status"),
    [("draft", "draft"), ("review", "in_review"), ("scheduled", "scheduled"), ("auto", "publishing")],
)
def test_the_workflow_says_what_becomes_of_a_post(writer, settings, tmp_path, workflow, status):
    settings.PUBLISHED_FILES_DIR = str(tmp_path)
    agent = make_agent(writer="scripted", workflow=workflow, publishers=[make_publisher("file")])
    written = attempt(asked(agent))
    assert written.status == status
    assert Publication.objects.count() == (workflow in {"scheduled", "auto"})


def test_scheduled_posts_take_one_day_after_the_other_at_the_hour_of_the_agent(writer):
    agent = make_agent(
        writer="scripted", workflow="scheduled", publishers=[make_publisher("file")],
        publish_at=time(10), timezone="Europe/Warsaw", sources=[], topic="Tides",
    )  # fmt: skip
    now = datetime(2026, 3, 27, 8, 59, tzinfo=UTC)  # 9:59 there, three days before the clocks change
    assert next_free_day(agent, now) == datetime(2026, 3, 27, 9, tzinfo=UTC)
    make_post(agent=agent, status=Post.Status.SCHEDULED, scheduled_at=datetime(2026, 3, 27, 9, tzinfo=UTC))
    make_post(agent=agent, status=Post.Status.SCHEDULED, scheduled_at=datetime(2026, 3, 28, 20, tzinfo=UTC))
    assert next_free_day(agent, now) == datetime(2026, 3, 29, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"avoid": ["fishes"]}, "“fishes”, which is to be avoided"),
        ({"publishers": "disabled"}, "is disabled"),
    ],
)
def test_a_post_with_a_doubt_is_held_back_for_a_review_and_the_run_says_so(writer, fields, reason):
    publisher = make_publisher("file", is_enabled="publishers" not in fields)
    agent = make_agent(writer="scripted", workflow="auto", **{**fields, "publishers": [publisher]})
    run = ActiveRun(asked(agent).pk, attempt=1)
    written = tasks.generate_post(run, agent_id=agent.pk)
    assert written.status == "in_review" and reason in run.failed_units["Publishing"]
    assert Publication.objects.count() == 0
    assert reason in Post.objects.get().transitions.get(after="in_review").note


def test_what_says_the_same_as_an_earlier_post_does_not_go_out_by_itself(writer):
    agent = make_agent(writer="scripted", workflow="auto", publishers=[make_publisher("file")])
    attempt(asked(agent))
    make_item(agent.sources.get())
    written = attempt(asked(agent))
    assert written.status == "in_review"
    assert any("100% of its text" in note for note in written.notes)


def test_a_poor_score_does_not_go_out_by_itself(writer):
    writer.html, writer.title = "<p>Antidisestablishmentarianism notwithstanding.</p>", "Oh"
    agent = make_agent(writer="scripted", workflow="auto", publishers=[make_publisher("file")])
    written = attempt(asked(agent))
    assert written.status == "in_review" and any("score" in note for note in written.notes)


def test_an_agent_whose_writer_cannot_be_used_says_why(agent, writer, monkeypatch):
    monkeypatch.setattr(writer, "why_not", lambda: "There is no key.")
    with pytest.raises(WriterRefused, match="no key"):
        attempt(asked(agent))
    assert writers.get("digest").why_not() == ""
