"""A post from items to draft with a language model, over the wire: what is paid is written down, and never paid again."""

from decimal import Decimal

import pytest

from chat.tests.conftest import model_server  # noqa: F401 - a fixture
from chat.tests.model_server import Fail, Say, error
from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.errors import RunCancelled
from jobs.models import JobRun
from publishing import tasks
from publishing.models import Post, UsageRecord
from publishing.tests.articles import articles
from publishing.tests.factories import make_agent, make_item, make_source
from publishing.tests.models import META, answering, set_up, text
from publishing.writers import Unfinished, WriterRefused, WriterUnavailable, openai

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(model_server, settings):  # noqa: F811 - the fixture
    """Starts a model that says a script; the settings name it."""

    def start(*script):
        server = model_server(*script)
        set_up(settings, server)
        return server

    return start


def ask_agent() -> JobRun:
    """A run of an agent that lets the model write, of four items."""
    source = make_source()
    for item in articles(4):
        make_item(source, title=item.title, url=item.url, content_html=item.html)
    agent = make_agent(writer="openai", sources=[source], length="short", workflow="draft")
    job = get_job("publishing.generate_post")
    return enqueue(job, {"agent_id": agent.pk}, trigger=JobRun.Trigger.CODE)


def attempt(run: JobRun, number: int = 1, active: ActiveRun | None = None):
    return tasks.generate_post(active or ActiveRun(run.pk, attempt=number), **run.parameters)


def records() -> list[tuple[str, int, bool, bool]]:
    """Step, tokens out, whether it is doubtful, and whether it gave something."""
    fields = ("step", "tokens_out", "is_doubtful", "has_result")
    return list(UsageRecord.objects.order_by("pk").values_list(*fields))


def test_a_model_writes_a_draft_and_every_answer_is_on_the_bill(model):
    server = model(answering())
    written = attempt(ask_agent())
    post = Post.objects.get()
    assert (post.status, post.title, post.keywords) == ("draft", META["title"], META["keywords"])
    items = articles(4)
    assert [source.url for source in post.sources.all()] == [items[1].url, items[3].url, items[0].url]
    assert all(source.url in post.body_html for source in post.sources.all())
    assert records() == [(step, 20, False, True) for step in ("outline", "body", "meta")]
    assert written.cost == Decimal("0.00054") and written.tokens == 360 and len(server.requests) == 3
    record = UsageRecord.objects.filter(step="body").get()
    assert (record.model, record.price_in, record.price_cached, record.price_out) == (
        "big-model-2026-11-01",
        Decimal(1),
        Decimal("0.1"),
        Decimal(4),
    )


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Say(text(), fault_after=60, fault="cut"), [("body", 120, True, False)]),
        (Fail(500, error("oops")), [("body", 0, True, False)]),
        (Fail(429, error("slow down"), {"Retry-After": "9"}), []),
    ],
)
def test_after_a_fault_only_what_is_missing_is_asked_again_and_doubts_are_written_down(model, fault, told):
    server = model(answering(), fault, answering())
    run = ask_agent()
    with pytest.raises(WriterUnavailable):
        attempt(run)
    attempt(run, 2)
    assert Post.objects.count() == 1 and len(server.requests) == 4
    assert records() == [
        ("outline", 20, False, True),
        *told,
        ("body", 20, False, True),
        ("meta", 20, False, True),
    ]


@pytest.mark.parametrize(
    ("said", "kind"),
    [(Say(text(), finish="length"), Unfinished), (Say("Too short. [1]"), WriterRefused)],
)
def test_a_text_that_must_not_go_out_makes_no_post_and_is_on_the_bill(model, said, kind):
    model(answering(), said)
    with pytest.raises(kind):
        attempt(ask_agent())
    assert not Post.objects.exists()
    assert records()[1][:1] == ("body",) and records()[1][2:] == (False, False)


def test_a_cancel_ends_the_answer_at_its_next_words_and_what_it_took_is_written_down(model, monkeypatch):
    monkeypatch.setattr(openai, "_TELL_SECONDS", 0)
    run = ask_agent()
    active = ActiveRun(run.pk, attempt=1)

    def cancelled(request):
        active.stop(RunCancelled)
        return Say("word " * 20_000, chars=5)

    server = model(answering(), cancelled, answering())
    with pytest.raises(RunCancelled):
        attempt(run, active=active)
    assert server.left.wait(5), "the server notices"
    (outline, body) = UsageRecord.objects.order_by("pk")
    assert outline.step == "outline" and body.step == "body"
    assert body.is_doubtful and body.is_estimated and not body.has_result
    assert body.tokens_in > 500 and body.tokens_out < 20_000 and body.cost > 0
    attempt(run, 2)
    assert len(server.requests) == 4 and Post.objects.count() == 1, "the outline was not asked for again"


def test_a_run_shows_how_many_words_are_there(model, monkeypatch):
    monkeypatch.setattr(openai, "_TELL_SECONDS", 0)
    shown: list[tuple[int | None, int | None]] = []

    class Watched(ActiveRun):
        def report(self, current: int, total: int | None = None, text: str | None = None) -> None:
            super().report(current, total, text)
            shown.append((self.progress.current, self.progress.total))

    model(answering())
    run = ask_agent()
    attempt(run, active=Watched(run.pk, attempt=1))
    of_text = [current for current, total in shown if total == 700 and current is not None]
    assert of_text[0] == 0 and of_text == sorted(of_text) and of_text[-1] > 500 and len(set(of_text)) > 5
