import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from jobs.errors import IllegalState, InvalidInput
from jobs.models import JobRun
from publishing import controls, polling
from publishing.errors import SourceRejected
from publishing.models import FeedItem, Source
from publishing.tests.factories import make_run, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Source:
    source = Source(name="Notes", kind="manual")
    controls.save(source, by=None)
    return source


def add(source: Source, **changes: str) -> tuple[FeedItem, bool]:
    given = {"title": "A note", "html": "<p>Seals rest on the slipway.</p>", **changes}
    return controls.add_item(source, **given, by=None)  # type: ignore[arg-type]


def test_a_text_is_kept_clean_and_waits_like_any_item(source: Source):
    item, is_new = add(
        source,
        html="<p onclick='x()'>Seals <script>x()</script>rest.</p>",
        title=" A\nnote ",
        url="https://harbour.example/a",
    )
    assert (is_new, item.title, item.content_html, item.url) == (
        True, "A note", "<p>Seals rest.</p>", "https://harbour.example/a",
    )  # fmt: skip
    assert list(FeedItem.objects.waiting()) == [item]


def test_the_same_text_is_the_same_item_and_a_changed_one_is_another(source: Source):
    first, _ = add(source)
    again, is_new = add(source, url="https://elsewhere.example/")
    assert (again.pk, is_new) == (first.pk, False)
    other, is_new = add(source, html="<p>Seals rest on the pier.</p>")
    assert is_new and other.pk != first.pk


def test_a_removed_text_comes_back_when_a_person_adds_it_again(source: Source):
    item, _ = add(source)
    controls.remove(FeedItem.objects.filter(pk=item.pk), by=None)
    again, is_new = add(source)
    assert (again.pk, is_new, again.content_html, again.removed_at) == (
        item.pk, True, "<p>Seals rest on the slipway.</p>", None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "given"),
    [("title", " \n"), ("html", "<script>x()</script>"), ("html", ""), ("url", "javascript:alert(1)")],
)
def test_what_is_no_item_is_refused_by_its_field(source: Source, field, given):
    with pytest.raises(InvalidInput) as caught:
        add(source, **{field: given})
    assert list(caught.value.fields) == [field]
    assert not source.items.exists()


def test_adding_is_audited(source: Source):
    user = User.objects.create_user("editor")
    item, _ = controls.add_item(source, title="A note", html="Text", by=user)
    row = LogEntry.objects.get(user=user)
    assert (row.object_id, row.get_change_message()) == (str(item.pk), "Added by hand to Notes.")


def test_a_source_that_is_polled_takes_no_texts():
    with pytest.raises(IllegalState, match="polled"):
        add(make_source())


def test_many_sources_without_an_address_live_side_by_side(source: Source):
    other = Source(name="More notes", kind="manual")
    controls.save(other, by=None)
    with pytest.raises(ValidationError, match="no address"):
        controls.save(Source(name="Odd", kind="manual", url="https://a.example/"), by=None)
    with pytest.raises(ValidationError, match="http"):
        controls.save(Source(name="Feed", kind="feed"), by=None)


def test_nobody_polls_it(source: Source):
    assert source.state == Source.State.OK and not source.is_due(timezone.now())
    assert polling.poll_due(make_run()).polled == 0
    for ask in (controls.poll, controls.test):
        with pytest.raises(IllegalState, match="by hand"):
            ask(source, by=None, trigger=JobRun.Trigger.API)
    with pytest.raises(SourceRejected, match="by hand"):
        polling.poll_source(make_run(), source.pk)
    source.refresh_from_db()
    assert (source.last_polled_at, source.consecutive_failures) == (None, 0)
