"""Alerts about what is left to people: one for each publisher and state, over when nothing is left of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.alerts import watch
from jobs.models import Alert, AlertEvent
from publishing import publications
from publishing.publications import State
from publishing.tests.factories import make_publication, make_publisher
from publishing.tests.receiver import Receiver

pytestmark = pytest.mark.django_db

What = AlertEvent.What


@pytest.fixture
def receiver(settings):
    with Receiver().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


@pytest.fixture
def blind(receiver):
    """A publisher that cannot be asked what it has."""
    return make_publisher(settings={"url": receiver.url}, secrets=receiver.secrets())


def publish(receiver, publisher, fault, count=1):
    receiver.fault = lambda marker: fault
    rows = [make_publication(publisher) for _ in range(count)]
    for row in rows:
        publications.carry_out(row.pk)
        row.refresh_from_db()
    receiver.fault = lambda marker: ""
    return rows


def the_alert() -> Alert:
    return Alert.objects.get()


def test_posts_that_are_refused_are_one_alert_until_all_went_out(receiver, blind):
    rows = publish(receiver, blind, "forbidden", count=3)
    alert = the_alert()
    assert (alert.kind, alert.state, alert.count) == ("publishing.post_failed", "open", 3)
    assert alert.title == f"{blind} refuses posts"
    assert "answered with status 401" in alert.message
    assert f"publisher__id__exact={blind.pk}" in alert.link
    for row in rows:
        watch.look_at(timezone.now())
        assert the_alert().state == "open"
        publications.send_again(row, by=None)
        publications.carry_out(row.pk)
    watch.look_at(timezone.now())
    assert the_alert().state == "resolved"
    assert AlertEvent.objects.values_list("what", flat=True).order_by("pk")[0] == What.OPENED


def test_each_publisher_has_an_alert_of_its_own(receiver, blind):
    other = make_publisher(settings={"url": receiver.url}, secrets=receiver.secrets())
    publish(receiver, blind, "forbidden")
    publish(receiver, other, "forbidden")
    assert Alert.objects.count() == 2


def test_a_post_that_nobody_can_look_for_is_told_of_until_somebody_has(receiver, blind):
    [row] = publish(receiver, blind, "cut")
    assert the_alert().kind == "publishing.post_unconfirmed"
    publications.confirm(row, url="", by=None)
    watch.look_at(timezone.now())
    assert the_alert().state == "resolved"


def test_a_post_that_is_going_to_be_looked_for_is_not_told_of(receiver):
    publisher = make_publisher(settings=receiver.settings(), secrets=receiver.secrets())
    [row] = publish(receiver, publisher, "cut")
    assert row.state == State.UNCONFIRMED
    assert not Alert.objects.exists()


def test_a_missed_post_is_told_of(blind):
    row = make_publication(blind, due_at=timezone.now() - timedelta(hours=2))
    publications.carry_out(row.pk)
    assert the_alert().kind == "publishing.post_missed"
    publications.send_again(row, by=None)
    watch.look_at(timezone.now())
    assert the_alert().state == "resolved"
