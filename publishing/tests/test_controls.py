from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone

from jobs.models import JobRun
from publishing import controls
from publishing.models import FeedItem, Source
from publishing.tests.factories import make_item, make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def test_asking_for_a_poll_queues_a_run_and_leaves_an_audit_row(ada):
    source = make_source()
    run = controls.poll(source, by=ada, trigger=JobRun.Trigger.ADMIN, force=True)
    asked = {"source_id": source.pk, "force": True, "auto_generate": None}
    assert (run.job, run.parameters) == ("publishing.monitor_feed", asked)
    assert (run.requested_by, run.trigger) == (ada, JobRun.Trigger.ADMIN)
    assert LogEntry.objects.get().get_change_message() == "Asked for a poll of everything."
    assert controls.test(source, by=ada, trigger=JobRun.Trigger.API).job == "publishing.test_source"


def test_enabling_starts_a_source_again_whatever_stopped_it(ada):
    source = make_source(
        is_enabled=False,
        gone_at=timezone.now(),
        consecutive_failures=9,
        consecutive_parse_failures=3,
        next_poll_at=timezone.now() + timedelta(days=1),
    )
    controls.enable(source, by=ada)
    source = Source.objects.get()
    assert source.is_due(timezone.now()) and source.state == Source.State.NEW
    controls.disable(source, by=ada)
    assert Source.objects.get().state == Source.State.DISABLED


def test_a_reset_forgets_items_tombstones_and_validators(ada):
    source = make_source(etag='"1"', body_hash="x", last_success_at=timezone.now(), consecutive_failures=2)
    make_item(source)
    make_item(source, removed_at=timezone.now())
    other = make_item(make_source())
    assert controls.reset(source, by=ada) == 2
    source.refresh_from_db()
    assert (source.etag, source.body_hash, source.state) == ("", "", Source.State.NEW)
    assert list(FeedItem.objects.all()) == [other]


def test_only_items_that_were_used_or_passed_over_can_be_replayed(ada):
    source = make_source()
    states = FeedItem.State
    items = {state: make_item(source, state=state, state_reason="because") for state in states}
    removed = make_item(source, state=states.SKIPPED, removed_at=timezone.now())
    assert controls.replay(FeedItem.objects.all(), by=ada) == 3
    assert set(FeedItem.objects.waiting()) == {
        items[state] for state in (states.SEEN, states.GENERATED, states.SKIPPED, states.FAILED)
    }
    removed.refresh_from_db()
    assert removed.state == states.SKIPPED
    assert controls.replay(FeedItem.objects.all(), by=ada) == 0


def test_a_removed_item_leaves_a_tombstone_without_text(ada):
    item = make_item(make_source(), content_html="<p>text</p>", categories=["a"])
    assert controls.remove(FeedItem.objects.all(), by=ada) == 1
    assert controls.remove(FeedItem.objects.all(), by=ada) == 0
    item.refresh_from_db()
    assert item.removed_at is not None
    assert (item.title, item.content_html, item.categories) == ("", "", [])
    assert not FeedItem.objects.kept().exists()


def test_a_new_address_is_a_new_beginning_and_a_new_name_is_not(ada):
    source = make_source(
        etag='"1"', last_success_at=timezone.now(), gone_at=timezone.now(), consecutive_failures=3
    )
    source.name = "Another name"
    controls.save(source, by=ada)
    assert Source.objects.get().etag == '"1"'
    source.url = "https://feeds.example/moved"
    controls.save(source, by=ada)
    saved = Source.objects.get()
    assert (saved.etag, saved.gone_at, saved.consecutive_failures) == ("", None, 0)
    assert LogEntry.objects.count() == 2


def test_an_edit_takes_nothing_back_that_a_poll_has_written_meanwhile(ada):
    edited = make_source()
    Source.objects.update(etag='"2"', last_success_at=timezone.now(), is_enabled=False)
    edited.name = "Another name"
    controls.save(edited, by=ada)
    saved = Source.objects.get()
    assert (saved.name, saved.etag, saved.state) == ("Another name", '"2"', Source.State.DISABLED)
    assert saved.last_success_at is not None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"url": "ftp://feeds.example/"}, "url"),
        ({"url": "https://user:secret@feeds.example/"}, "url"),
        ({"url": "http://[::1"}, "url"),
        ({"url": "https:///feed"}, "url"),
        ({"kind": "pigeon"}, "kind"),
        ({"options": {"unknown": 1}}, "options"),
        ({"min_interval": timedelta(seconds=1)}, "min_interval"),
        ({"min_interval": timedelta(hours=9), "max_interval": timedelta(hours=8)}, "__all__"),
    ],
)
def test_what_does_not_fit_is_refused_by_field(ada, fields, named):
    source = Source(**{"name": "News", "url": "https://feeds.example/", **fields})
    with pytest.raises(ValidationError) as caught:
        controls.save(source, by=ada)
    assert named in caught.value.message_dict


def test_two_sources_of_a_kind_cannot_have_one_address(ada):
    make_source(url="https://feeds.example/")
    with pytest.raises(ValidationError, match="already"):
        controls.save(Source(name="Again", url="https://feeds.example/"), by=ada)


def test_a_deleted_source_leaves_an_audit_row(ada):
    source = make_source(name="News")
    make_item(source)
    controls.delete(source, by=ada)
    assert not FeedItem.objects.exists()
    assert "Deleted source News" in LogEntry.objects.get().get_change_message()
