"""Sightings of good and bad: dedupe, hysteresis, severity, cool-down, coming back; and all of it in parallel."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from jobs.alerts import Kind, Subject, flapping, kinds, raise_alert, register, report_good, resolve
from jobs.alerts.raising import CONTEXT_KEYS
from jobs.models import Alert, AlertEvent

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TAP = Subject(type="tap", id="7", text="Tap 7", link="/taps/7/")
State = Alert.State


@pytest.fixture(autouse=True)
def own_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds that the test registers are gone after it."""
    monkeypatch.setattr(kinds, "_registry", dict(kinds._registry))


def declare(**hysteresis: object) -> str:
    given = {
        "name": "testing.leak",
        "title": "Leak",
        "severity": Alert.Severity.MEDIUM,
        "help_text": "It drips.",
        "runbook": "Close it.",
        **hysteresis,
    }
    register(Kind(**given))  # type: ignore[arg-type]  # the table of a test
    return "testing.leak"


def see_bad(at: datetime = NOON, **given: object) -> Alert:
    return raise_alert("testing.leak", subject=TAP, title="It leaks", at=at, **given)  # type: ignore[arg-type]


def see_good(at: datetime = NOON) -> bool:
    return report_good("testing.leak", "tap:7", reason="dry", at=at)


def told() -> list[str]:
    """What people are told, in order."""
    return list(AlertEvent.objects.to_notify().values_list("what", flat=True))


def after(**length: float) -> datetime:
    return NOON + timedelta(**length)


@pytest.mark.django_db
def test_many_sightings_of_one_cause_are_one_alert_told_once():
    declare()
    for minute in range(50):
        alert = see_bad(after(minutes=minute))
    assert Alert.objects.count() == 1
    alert.refresh_from_db()
    assert (alert.count, alert.state) == (50, State.OPEN)
    assert (alert.first_seen_at, alert.last_seen_at) == (NOON, after(minutes=49))
    assert (alert.subject_type, alert.subject_id, alert.app) == ("tap", "7", "testing")
    assert told() == ["opened"]


@pytest.mark.django_db
def test_after_the_cooldown_people_are_told_once_more():
    declare(cooldown=timedelta(hours=1))
    for minute in (0, 59, 60, 61, 119, 121):
        see_bad(after(minutes=minute))
    assert told() == ["opened", "repeated", "repeated"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("hysteresis", "sightings", "state"),
    [
        ({"bad_in_a_row": 1}, "b", "open"),
        ({"bad_in_a_row": 3}, "bb", "pending"),
        ({"bad_in_a_row": 3}, "bbb", "open"),
        ({"bad_in_a_row": 3}, "bbgbb", "pending"),
        ({"bad_in_a_row": 3}, "bbgbbb", "open"),
        ({"bad_in_a_row": 3}, "bbg", None),
        ({"good_in_a_row": 1}, "bg", "resolved"),
        ({"good_in_a_row": 3}, "bgg", "open"),
        ({"good_in_a_row": 3}, "bggg", "resolved"),
        ({"good_in_a_row": 3}, "bggbgg", "open"),
        ({"good_in_a_row": 3}, "bggbggg", "resolved"),
        ({"bad_in_a_row": 2}, "bbgb", "resolved"),
        ({"bad_in_a_row": 2}, "bbgbb", "open"),
        ({"bad_in_a_row": 2}, "bbgbgb", "resolved"),
        ({"bad_for": timedelta(minutes=3)}, "bbb", "pending"),
        ({"bad_for": timedelta(minutes=3)}, "bbbb", "open"),
        ({"bad_for": timedelta(minutes=3)}, "bbgbbb", "pending"),
        ({"bad_for": timedelta(minutes=3), "bad_in_a_row": 2}, "bb", "open"),
    ],
)
def test_an_alert_opens_after_enough_bad_and_closes_after_enough_good(hysteresis, sightings, state):
    """One sighting a minute: b is bad, g is good."""
    declare(**hysteresis)
    for minute, sighting in enumerate(sightings):
        (see_bad if sighting == "b" else see_good)(after(minutes=minute))
    found = Alert.objects.first()
    assert (found.state if found else None) == state


@pytest.mark.django_db
def test_what_is_not_yet_open_is_told_to_nobody():
    declare(bad_in_a_row=2)
    see_bad()
    assert told() == []
    assert not Alert.objects.shown().exists()


@pytest.mark.django_db
def test_an_alert_whose_cause_comes_back_soon_is_opened_again_and_later_made_anew():
    declare(reopens_within=timedelta(hours=1))
    first = see_bad()
    see_good(after(minutes=1))
    assert see_bad(after(minutes=30)).pk == first.pk
    see_good(after(minutes=31))
    assert see_bad(after(hours=3)).pk != first.pk
    assert told() == ["opened", "resolved", "reopened", "resolved", "opened"]


@pytest.mark.django_db
def test_resolving_twice_or_what_was_never_raised_does_nothing():
    declare(good_in_a_row=5)
    assert not resolve("testing.leak", "tap:7", reason="never was")
    see_bad()
    assert resolve("testing.leak", "tap:7", reason="mended", at=after(minutes=1))
    assert not resolve("testing.leak", "tap:7", reason="mended", at=after(minutes=2))
    assert told() == ["opened", "resolved"]
    assert Alert.objects.get().resolved_at == after(minutes=1)


@pytest.mark.django_db
def test_an_acknowledged_or_snoozed_alert_that_gets_worse_is_open_again_and_news_to_everybody():
    declare()
    for minute, (state, until) in enumerate([(State.ACKNOWLEDGED, None), (State.SNOOZED, after(days=1))]):
        alert = see_bad(after(minutes=minute), severity="medium")
        Alert.objects.update(state=state, snoozed_until=until)
        see_bad(after(minutes=minute, seconds=1))
        assert Alert.objects.get().state == state
        alert = see_bad(after(minutes=minute, seconds=2), severity="critical")
        assert (alert.state, alert.severity, alert.snoozed_until) == (State.OPEN, "critical", None)
        assert alert.news_at == after(minutes=minute, seconds=2)
    assert told() == ["opened", "escalated", "escalated"]


@pytest.mark.django_db
def test_an_alert_that_opens_and_closes_again_and_again_is_told_as_flapping_once_and_once_when_it_is_steady():
    declare()
    for minute in range(0, 40, 2):
        see_bad(after(minutes=minute))
        see_good(after(minutes=minute + 1))
    said = told()
    assert said[:6] == ["opened", "resolved", "reopened", "resolved", "reopened", "resolved"]
    assert said[6:] == ["flapping"]
    assert Alert.objects.get().is_flapping
    assert flapping.settle(after(minutes=90)) == 0
    assert flapping.settle(after(minutes=99)) == 1
    assert told() == [*said, "steady"]
    see_bad(after(minutes=99))
    assert told()[-1] == "reopened"


def in_parallel(function: Callable[[int], object], count: int) -> None:
    """Call a function from several threads at the same moment; each has a connection of its own."""
    gate = threading.Barrier(count)

    def call(number: int) -> None:
        gate.wait()
        try:
            function(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        list(threads.map(call, range(count)))


@pytest.mark.django_db(transaction=True)
def test_parallel_sightings_make_one_alert_and_lose_no_count():
    declare()
    in_parallel(lambda number: [see_bad() for _ in range(10)], 8)
    alert = Alert.objects.get()
    assert (alert.count, alert.bad_in_a_row) == (80, 80)
    assert list(alert.events.values_list("what", flat=True)) == ["opened"]


@pytest.mark.django_db(transaction=True)
def test_parallel_sightings_of_good_close_an_alert_once():
    declare()
    see_bad()
    in_parallel(lambda number: see_good(), 8)
    assert list(AlertEvent.objects.values_list("what", flat=True)) == ["opened", "resolved"]


@pytest.mark.django_db(transaction=True)
def test_parallel_sightings_of_good_and_bad_leave_one_alert_with_a_true_history():
    declare()
    in_parallel(lambda number: [(see_bad if number % 2 else see_good)() for _ in range(20)], 6)
    alert = Alert.objects.get()
    assert alert.count == 60
    changes = [what for what in alert.events.values_list("what", flat=True) if what != "flapping"]
    assert changes[::2] == ["opened" if not n else "reopened" for n in range(len(changes[::2]))]
    assert set(changes[1::2]) <= {"resolved"}
    assert alert.state == (State.OPEN if len(changes) % 2 else State.RESOLVED)


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["Leak", "testing", "testing.Leak", "testing.leak.big", ""])
def test_a_kind_without_a_proper_name_is_refused(name):
    with pytest.raises(ValueError, match="lower case"):
        declare(name=name)


def test_a_kind_that_is_declared_twice_is_refused():
    declare()
    with pytest.raises(ValueError, match="two kinds"):
        declare()


@pytest.mark.django_db
def test_a_kind_that_nobody_declared_cannot_be_raised_but_can_be_resolved():
    with pytest.raises(kinds.UnknownKind):
        see_bad()
    Alert.objects.create(
        kind="gone.trouble",
        app="gone",
        severity="low",
        fingerprint="x",
        title="Left behind",
        state=State.OPEN,
        first_seen_at=NOON,
        last_seen_at=NOON,
        news_at=NOON,
    )
    assert report_good("gone.trouble", "x", reason="over")


@pytest.mark.django_db
def test_what_cannot_be_stored_is_stored_without_it():
    declare()
    alert = see_bad(context={"text": "a\x00b", "number": float("nan")}, fingerprint="x" * 500)
    alert.refresh_from_db()
    assert alert.context == {"text": "a\N{REPLACEMENT CHARACTER}b", "number": None}
    assert len(alert.fingerprint) == 200


@pytest.mark.django_db
def test_reports_with_ever_new_facts_do_not_make_an_alert_grow():
    declare()
    for number in range(CONTEXT_KEYS + 5):
        alert = see_bad(after(minutes=number), context={f"fact {number}": number})
    alert.refresh_from_db()
    assert len(alert.context) == CONTEXT_KEYS
    assert f"fact {CONTEXT_KEYS + 4}" in alert.context


@pytest.mark.django_db
def test_a_report_without_a_group_does_not_show_a_groups_alert_to_everybody():
    declare()
    ward = Group.objects.create(name="ward")
    see_bad(owner_group_id=ward.pk)
    alert = see_bad(after(minutes=1))
    alert.refresh_from_db()
    assert alert.owner_group_id == ward.pk
