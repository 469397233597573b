"""What people do with alerts at the same moment: one wins."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from jobs.alerts import Subject, changes, raise_alert
from jobs.errors import IllegalState
from jobs.models import Alert, AlertEvent, AuditEvent

State = Alert.State


def raised(**given):
    return raise_alert("jobs.reported_trouble", subject=Subject(type="host"), title="Trouble", **given)


def at_once(*calls):
    """Call all at the same moment, each over a connection of its own; their values or errors."""
    gate = threading.Barrier(len(calls))

    def call(function):
        gate.wait()
        try:
            return function()
        except IllegalState as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(call, calls))


@pytest.mark.django_db(transaction=True)
def test_of_many_who_acknowledge_at_once_one_wins():
    alert = raised()
    people = [User.objects.create_user(f"person{number}") for number in range(6)]
    done = at_once(*(lambda by=by: changes.acknowledge(alert.pk, by=by) for by in people))
    assert sum(isinstance(one, IllegalState) for one in done) == 5
    (event,) = alert.events.filter(what="acknowledged")
    assert event.by in people
    assert AuditEvent.objects.filter(subject_type="jobs.alert").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_alert_that_is_dismissed_and_resolved_at_once_has_one_end():
    for _ in range(5):
        alert = raised()
        done = at_once(
            lambda pk=alert.pk: changes.dismiss(pk, by=None), lambda pk=alert.pk: changes.resolve(pk, by=None)
        )
        assert sum(isinstance(one, IllegalState) for one in done) == 1
        assert alert.events.filter(what__in=["dismissed", "resolved"]).count() == 1
        alert.delete()


@pytest.mark.django_db(transaction=True)
def test_sightings_while_people_change_an_alert_lose_neither_count_nor_change():
    alert = raised()
    at_once(
        *[lambda: [raised() for _ in range(10)]] * 4,
        lambda: changes.acknowledge(alert.pk, by=None),
    )
    alert.refresh_from_db()
    assert (alert.count, alert.state) == (41, State.ACKNOWLEDGED)


@pytest.mark.django_db(transaction=True)
def test_several_who_wake_snoozed_alerts_wake_each_once():
    for number in range(20):
        alert = raised(fingerprint=str(number))
        Alert.objects.filter(pk=alert.pk).update(state=State.SNOOZED, snoozed_until=timezone.now())
    later = timezone.now() + timedelta(seconds=1)
    assert sum(at_once(*[lambda: changes.wake(later)] * 4)) == 20
    assert AlertEvent.objects.filter(what="unsnoozed").count() == 20


@pytest.mark.django_db
def test_who_changes_an_alert_has_read_it():
    user = User.objects.create_user("ada")
    alert = raised()
    changes.acknowledge(alert.pk, by=user)
    assert not Alert.objects.unread_by(user).exists()


@pytest.mark.django_db
def test_a_dismissed_alert_stays_quiet_until_its_cause_has_paused_or_gets_worse():
    start = timezone.now()
    alert = raised(at=start)
    changes.dismiss(alert.pk, by=None)
    for minute in range(0, 300, 50):
        raised(at=start + timedelta(minutes=minute))
    assert [one.state for one in Alert.objects.all()] == [State.RESOLVED]
    assert raised(at=start + timedelta(minutes=251), severity="critical").state == State.OPEN
    changes.dismiss(alert.pk, by=None)
    raised(at=start + timedelta(minutes=600))
    assert Alert.objects.count() == 2


@pytest.mark.django_db
def test_a_change_of_many_that_does_not_fit_changes_none():
    alerts = [raised(fingerprint=str(number)) for number in range(3)]
    yesterday = timezone.now() - timedelta(days=1)
    with pytest.raises(changes.InvalidSnooze):
        changes.each([alert.pk for alert in alerts], changes.snooze, by=None, until=yesterday)
    assert Alert.objects.filter(state=State.OPEN).count() == 3
