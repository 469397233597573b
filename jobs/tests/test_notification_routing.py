"""From alerts to deliveries: rules, repeats, recoveries, quiet hours, digests, escalation."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone

from jobs.alerts import Subject, changes, raise_alert, resolve
from jobs.models import (
    AlertEvent,
    Delivery,
    DigestEntry,
    Escalation,
    EscalationStep,
    NotificationRule,
)
from jobs.models.channel import next_moment
from jobs.notifications import digests, escalation, explain, matching, routing
from jobs.notifications.matching import Occasion
from jobs.notifications.message import Section
from jobs.notifications.reports import send_report
from jobs.tests.notifying import NOON, begin_anew, email, inbox, rule, told, trouble, webhook

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_is_set_up(db):
    begin_anew()


def route(at=NOON):
    return routing.route_events(now=at)


def over(cause="a", at=NOON + HOUR, kind="jobs.run_failed"):
    assert resolve(kind, cause, reason="It works again.", at=at)


# Rules


def test_an_alert_goes_to_the_channels_of_the_rule_that_matches():
    chat, hook = inbox("Chat"), webhook("https://hook.example")
    rule(chat)
    trouble()
    assert route() == 1
    assert told() == ["Opened: Trouble with a"]
    assert told(hook) == []
    assert route() == 0
    delivery = Delivery.objects.get()
    assert (delivery.channel, delivery.severity, delivery.state) == (chat, "high", "waiting")
    assert delivery.message["type"] == "alert.opened"
    assert delivery.message["data"]["alert"]["kind"] == "jobs.run_failed"


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        ({}, True),
        ({"kinds": ["jobs.run_failed"]}, True),
        ({"kinds": ["jobs.*"]}, True),
        ({"kinds": ["JOBS.RUN_*"]}, True),
        ({"kinds": ["publishing.*", "jobs.run_lost"]}, False),
        ({"severity_at_least": "high"}, True),
        ({"severity_at_least": "critical"}, False),
        ({"sources": ["testing.*"]}, True),
        ({"sources": ["run:a"]}, True),
        ({"sources": ["publishing.*"]}, False),
        ({"changes": ["resolved"]}, False),
        ({"weekdays": [2]}, True),
        ({"weekdays": [5, 6]}, False),
        ({"from_time": time(11), "until_time": time(13)}, True),
        ({"from_time": time(12), "until_time": time(12, 1)}, True),
        ({"from_time": time(13), "until_time": time(11)}, False),
        ({"from_time": time(22), "until_time": time(13)}, True),
        ({"from_time": time(11), "until_time": time(13), "time_zone": "Asia/Tokyo"}, False),
        ({"is_enabled": False}, False),
    ],
)
def test_what_a_rule_wants(wanted, matches):
    rule(inbox(), **wanted)
    trouble(job="testing.add_numbers")
    route()
    assert told() == (["Opened: Trouble with a"] if matches else [])


def test_rules_are_asked_in_order_and_one_may_stop_the_others():
    first, second, third = inbox("1"), inbox("2"), inbox("3")
    rule(third, name="third", position=30)
    rule(first, name="first", position=10)
    stopping = rule(second, name="second", position=20, stops=True)
    trouble("a")
    route()
    assert [row.channel for row in Delivery.objects.order_by("channel__name")] == [first, second]
    stopping.kinds = ["jobs.run_lost"]
    stopping.save()
    trouble("b")
    route()
    assert [row.channel.name for row in Delivery.objects.filter(title__endswith="b").order_by("pk")] == [
        "1",
        "3",
    ]


def test_the_default_rule_is_asked_when_no_other_has_matched():
    special, rest = inbox("Special"), inbox("Rest")
    rule(rest, name="default", is_default=True, position=0)
    rule(special, name="special", kinds=["jobs.run_lost"])
    trouble("a")
    trouble("b", kind="jobs.run_lost")
    route()
    assert told(rest) == ["Opened: Trouble with a"]
    assert told(special) == ["Opened: Trouble with b"]


def test_a_channel_that_several_rules_name_gets_one_message():
    chat = inbox()
    rule(chat, name="1")
    rule(chat, name="2")
    trouble()
    route()
    assert told() == ["Opened: Trouble with a"]


def test_each_recipient_gets_a_delivery_of_their_own_and_refused_ones_none():
    rule(email("a@example.org", "b@example.org", "c@example.org", refused_recipients={"b@example.org": {}}))
    trouble()
    route()
    assert sorted(Delivery.objects.values_list("recipient", flat=True)) == ["a@example.org", "c@example.org"]


def test_a_disabled_channel_gets_nothing_and_an_unknown_kind_neither():
    off, strange = inbox("Off", is_enabled=False), inbox("Strange")
    type(strange).objects.filter(pk=strange.pk).update(kind="pigeon")
    rule(off, strange)
    trouble()
    assert route() == 1
    assert told() == []


def test_a_channel_is_not_told_of_its_own_failure():
    broken, other = inbox("Broken"), inbox("Other")
    rule(broken, other)
    raise_alert(
        "jobs.notification_failing",
        subject=Subject(type="channel", id=str(broken.pk), text="Broken"),
        title="Broken",
        at=NOON,
    )
    route()
    assert told(broken) == []
    assert told(other) == ["Opened: Broken"]


def test_silent_events_are_not_told():
    rule(inbox(), changes=["opened", "escalated", "eased"])
    trouble()
    trouble(severity="low")
    route()
    assert told() == ["Opened: Trouble with a"]


def test_an_event_that_cannot_be_told_does_not_keep_back_the_others(caplog):
    chat = inbox()
    rule(chat)
    broken = rule(inbox("Other"), name="broken", kinds=["jobs.run_lost"])
    NotificationRule.objects.filter(pk=broken.pk).update(time_zone="Nowhere/Atlantis")
    trouble("a", kind="jobs.run_lost")
    trouble("b")
    assert route() == 2
    assert told(chat) == ["Opened: Trouble with b"]
    assert "cannot be told" in caplog.text
    assert not AlertEvent.objects.to_notify().exists()


# Repeats, one message for one incident


def test_an_alert_that_is_seen_again_is_told_at_most_so_often():
    rule(inbox(), changes=["opened", "repeated"], repeat_minutes=120)
    now = timezone.now() - 10 * HOUR
    for minutes in (0, 70, 140, 210, 280):
        at = now + minutes * MINUTE
        trouble(at=at)
        route(at)
    assert told() == [
        "Opened: Trouble with a",
        "Seen again: Trouble with a",
        "Seen again: Trouble with a",
    ]


def test_a_rule_that_does_not_want_repeats_tells_once():
    rule(inbox())
    for hours in range(5):
        trouble(at=NOON + hours * HOUR * 2)
        route(NOON + hours * HOUR * 2)
    assert told() == ["Opened: Trouble with a"]


def test_a_thousand_sightings_are_one_message():
    rule(inbox(), changes=["opened", "repeated"])
    for second in range(50):
        trouble(at=NOON + timedelta(seconds=second), times=20)
    route()
    assert told() == ["Opened: Trouble with a"]


# Recoveries


def test_whoever_was_told_is_told_of_the_end_and_nobody_else():
    chat, other = inbox("Chat"), inbox("Other")
    rule(chat)
    rule(other, name="other", kinds=["jobs.run_lost"])
    trouble()
    route()
    over()
    route(NOON + HOUR)
    assert told(chat) == ["Opened: Trouble with a", "Resolved: Trouble with a"]
    assert told(other) == []
    facts = {fact["label"]: fact["value"] for fact in Delivery.objects.latest("pk").message["facts"]}
    assert facts["Lasted"] == "1 h"


def test_a_rule_may_leave_recoveries_out():
    rule(inbox(), tells_recovery=False)
    trouble()
    route()
    over()
    route(NOON + HOUR)
    assert told() == ["Opened: Trouble with a"]


def test_a_rule_that_wants_recoveries_too_does_not_tell_them_twice():
    rule(inbox(), changes=["opened", "resolved"])
    trouble()
    route()
    over()
    route(NOON + HOUR)
    assert told() == ["Opened: Trouble with a", "Resolved: Trouble with a"]


def test_who_never_got_the_opening_is_not_told_of_the_end():
    chat = inbox()
    rule(chat)
    trouble()
    route()
    Delivery.objects.update(state="failed")
    over()
    route(NOON + HOUR)
    assert told() == ["Opened: Trouble with a"]


def test_an_alert_that_opens_again_is_told_again_with_its_own_end():
    rule(inbox())
    for hours in (0, 1):
        at = NOON + hours * HOUR * 0.9
        trouble(at=at)
        route(at)
        over(at=at + MINUTE)
        route(at + MINUTE)
    assert told() == [
        f"{what}: Trouble with a" for what in ("Opened", "Resolved", "Opened again", "Resolved")
    ]


# Quiet hours


@pytest.mark.parametrize(
    ("at", "sent_at"),
    [
        ((18, 21, 59), (18, 21, 59)),
        ((18, 22, 0), (19, 7, 0)),
        ((19, 3, 0), (19, 7, 0)),
        ((19, 7, 0), (19, 7, 0)),
    ],
)
def test_in_quiet_hours_a_message_waits_for_their_end(at, sent_at):
    berlin = ZoneInfo("Europe/Berlin")
    day, hour, minute = at
    now = datetime(2026, 11, day, hour, minute, tzinfo=berlin).astimezone(UTC)
    day, hour, minute = sent_at
    rule(inbox(quiet_from=time(22), quiet_until=time(7), time_zone="Europe/Berlin"))
    trouble(at=now)
    route(now)
    assert Delivery.objects.get().due_at == datetime(2026, 11, day, hour, minute, tzinfo=berlin)


@pytest.mark.parametrize("passes", [True, False])
def test_what_is_critical_passes_quiet_hours_by_choice(passes):
    rule(inbox(quiet_from=time(11), quiet_until=time(14), critical_is_never_quiet=passes))
    trouble("a", severity="critical")
    trouble("b")
    route()
    due = dict(Delivery.objects.values_list("title", "due_at"))
    assert due["Trouble with a"] == (NOON if passes else NOON + 2 * HOUR)
    assert due["Trouble with b"] == NOON + 2 * HOUR


@pytest.mark.parametrize(
    ("after", "at", "zone", "expected"),
    [
        # The clocks skip 02:30 in spring: it comes an hour later than without the change.
        ("2026-03-28T12:00+00:00", "02:30", "Europe/Berlin", "2026-03-29T01:30+00:00"),
        # 02:30 comes twice in autumn: the first one counts.
        ("2026-10-24T12:00+00:00", "02:30", "Europe/Berlin", "2026-10-25T00:30+00:00"),
        ("2026-11-18T12:00+00:00", "12:00", "UTC", "2026-11-19T12:00+00:00"),
        ("2026-11-18T23:30+00:00", "08:00", "Asia/Tokyo", "2026-11-19T23:00+00:00"),
    ],
)
def test_the_next_time_of_day_is_found_across_changes_of_the_clocks(after, at, zone, expected):
    found = next_moment(datetime.fromisoformat(after), time.fromisoformat(at), zone)
    assert found == datetime.fromisoformat(expected)


# Digests


def test_a_daily_digest_collects_and_is_sent_once():
    chat = inbox()
    rule(chat, name="Daily", pace="daily", digest_at=time(8), time_zone="Europe/Berlin")
    for number in range(3):
        trouble(f"cause {number}", at=NOON + number * HOUR, severity=["low", "high", "medium"][number])
        route(NOON + number * HOUR)
    assert told() == []
    due = datetime(2026, 11, 19, 7, 0, tzinfo=UTC)
    assert set(DigestEntry.objects.values_list("due_at", flat=True)) == {due}
    assert digests.send_due(now=due - MINUTE) == 0
    assert digests.send_due(now=due) == 1
    assert digests.send_due(now=due) == 0
    delivery = Delivery.objects.get()
    assert delivery.title == "Daily: 3 changes of 3 alerts"
    assert delivery.severity == "high"
    assert [item["title"] for item in delivery.message["items"]] == [
        "Trouble with cause 2",
        "Trouble with cause 1",
        "Trouble with cause 0",
    ]
    assert not DigestEntry.objects.exists()


def test_an_hourly_digest_is_sent_at_the_full_hour_with_the_ends_of_what_it_tells():
    rule(inbox(), name="Hourly", pace="hourly")
    trouble(at=NOON + 10 * MINUTE)
    over(at=NOON + 20 * MINUTE)
    route(NOON + 20 * MINUTE)
    assert digests.send_due(now=NOON + HOUR) == 1
    changes = [item["change"] for item in Delivery.objects.get().message["items"]]
    assert changes == ["Resolved", "Opened"]


def test_a_long_digest_names_the_newest_and_counts_the_rest():
    rule(inbox(), name="Daily", pace="daily")
    for number in range(60):
        trouble(f"cause {number}", at=NOON + number * MINUTE)
    route()
    digests.send_due(now=NOON + 24 * HOUR)
    message = Delivery.objects.get().message
    assert len(message["items"]) == 50
    assert message["items"][0]["title"] == "Trouble with cause 59"
    assert message["text"] == "10 older ones are not listed."


# Escalation


@pytest.fixture
def two_steps():
    """(first line, second line, boss): told at once, after 15 and after 60 minutes."""
    lines = inbox("First"), inbox("Second"), inbox("Boss")
    made = rule(lines[0])
    for minutes, channel in ((15, lines[1]), (60, lines[2])):
        EscalationStep.objects.create(rule=made, after_minutes=minutes).channels.add(channel)
    return lines


def escalate(at):
    return escalation.escalate_due(now=at)


def test_without_acknowledgement_further_channels_are_told_step_by_step(two_steps):
    _, second, boss = two_steps
    trouble()
    route()
    assert escalate(NOON + 14 * MINUTE) == 0
    assert escalate(NOON + 15 * MINUTE) == 1
    assert told(second) == ["Not acknowledged for 15 min: Trouble with a"]
    assert told(boss) == []
    assert escalate(NOON + 90 * MINUTE) == 1
    assert told(boss) == ["Not acknowledged for 60 min: Trouble with a"]
    assert escalate(NOON + 90 * MINUTE) == 0
    over(at=NOON + 2 * HOUR)
    route(NOON + 2 * HOUR)
    for channel in two_steps:
        assert told(channel)[-1] == "Resolved: Trouble with a"


@pytest.mark.parametrize("how", ["acknowledge", "snooze", "resolve", "over"])
def test_whoever_looks_after_an_alert_ends_its_escalation(two_steps, how, admin_user):
    alert = trouble()
    route()
    if how == "over":
        over(at=NOON + MINUTE)
    elif how == "snooze":
        changes.snooze(alert.pk, by=admin_user, until=timezone.now() + 24 * HOUR)
    else:
        getattr(changes, how)(alert.pk, by=admin_user)
    assert escalate(NOON + 2 * HOUR) == 0
    assert not Escalation.objects.exists()


def test_an_alert_that_opens_again_escalates_from_then_on(two_steps):
    trouble()
    route()
    over(at=NOON + MINUTE)
    trouble(at=NOON + 10 * MINUTE)
    route(NOON + 10 * MINUTE)
    assert escalate(NOON + 20 * MINUTE) == 0
    assert escalate(NOON + 25 * MINUTE) == 1


# Explaining


def test_the_explanation_says_why_each_rule_does_or_does_not_fire():
    chat, off = inbox("Chat", quiet_from=time(11), quiet_until=time(14)), inbox("Off", is_enabled=False)
    rule(chat, name="severe", position=1, severity_at_least="critical")
    rule(chat, off, name="runs", position=2, kinds=["jobs.run_*"], stops=True)
    rule(chat, name="later", position=3)
    rule(chat, name="default", is_default=True)
    found = explain.explain(Occasion(kind="jobs.run_failed", change="opened", severity="high", at=NOON))
    assert [(verdict.rule.name, verdict.matches, verdict.reason) for verdict in found.verdicts] == [
        ("severe", False, "It wants a severity of critical at least; this is high."),
        ("runs", True, "It matches."),
        ("later", False, "Not asked: “runs” stops here."),
        ("default", False, "Not asked: “runs” stops here."),
    ]
    assert {(way.channel.name, way.at, way.reason) for way in found.ways} == {
        ("Chat", NOON + 2 * HOUR, "After the quiet hours of the channel."),
        ("Off", None, "The channel is disabled."),
    }


@pytest.mark.parametrize("options", [{}, {"pace": "daily"}, {"severity_at_least": "critical"}])
def test_what_is_explained_is_what_happens(options):
    rule(inbox("1"), inbox("2"), **options)
    alert = trouble()
    ways = explain.explain(explain.occasion_of(alert, change="opened", at=NOON)).ways
    route()
    digests.send_due(now=NOON + 48 * HOUR)
    assert {way.channel.name for way in ways} == set(Delivery.objects.values_list("channel__name", flat=True))


# Reports


def test_a_report_goes_where_the_rules_say_and_once_for_each_key():
    chat, other = inbox("Chat"), inbox("Other")
    rule(chat, name="reports", changes=["report"], kinds=["jobs.daily_*"])
    rule(other, name="others", changes=["opened"])
    for _ in range(2):
        send_report(
            "jobs.daily_summary",
            title="All is well",
            text="Nothing happened.",
            sections=[Section(title="By kind")],
            key="run-7",
        )
    assert told() == ["All is well"]
    assert Delivery.objects.get().channel == chat
    assert send_report("publishing.weekly", title="Nobody wants it", text="") == []


def test_a_report_may_name_its_channels():
    chat = inbox()
    assert len(send_report("any.kind", title="Hello", text="You", channels=[chat])) == 1


# Speed


def test_a_round_takes_few_queries_for_each_event(django_assert_max_num_queries):
    rule(inbox("1"), inbox("2"))
    for number in range(10):
        trouble(f"cause {number}")
    with django_assert_max_num_queries(4 + 10 * 12):
        assert route() == 10


def test_verdicts_need_no_query_once_the_rules_are_read(django_assert_num_queries):
    rule(inbox("1"))
    rule(inbox("2"), name="2")
    read = matching.rules()
    with django_assert_num_queries(0):
        found = matching.verdicts(read, Occasion(kind="a.b", change="opened", severity="low", at=NOON))
        assert len(matching.targets(found)) == 2


def test_two_couriers_do_not_tell_one_event_twice(transactional_db):
    begin_anew()
    rule(inbox())
    trouble()
    from threading import Thread

    counts = []

    def work():
        counts.append(route())
        connection.close()

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert told() == ["Opened: Trouble with a"]
