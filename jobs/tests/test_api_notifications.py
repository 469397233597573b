"""`/api/v1/notifications/`: channels with write-only secrets, rules, deliveries, the inbox."""

import json
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.utils import timezone

from jobs.models import Alert, Delivery, InboxMessage, NotificationChannel, NotificationRule
from jobs.notifications import courier
from jobs.tests.notifying import KEY, begin_anew, deliver_due, inbox, rule, trouble, webhook

ROOT = "/api/v1/notifications/"
CHANNEL = {"name": "Hook", "kind": "webhook", "settings": {"url": "https://example.org/in", "key": KEY}}


@pytest.fixture(autouse=True)
def nothing_is_set_up(db):
    begin_anew()


def post(client, path, data=None):
    return client.post(f"{ROOT}{path}", data or {}, format="json")


def test_kinds_tell_what_they_want_to_know(client):
    kinds = {kind["name"]: kind for kind in client.get(f"{ROOT}kinds/").json()}
    assert {"email", "webhook", "slack", "inbox"} <= set(kinds)
    assert kinds["webhook"]["secrets"] == ["authorization", "key"]
    assert "url" in kinds["webhook"]["schema"]["properties"]


def test_a_channel_is_made_shown_without_secrets_changed_and_deleted(client):
    made = post(client, "channels/", CHANNEL)
    assert made.status_code == 201
    body = made.json()
    assert body["settings"] == {"url": "https://example.org/in"}
    assert body["secrets_set"] == ["key"]
    address = f"{ROOT}channels/{body['id']}/"
    changed = client.patch(address, {"settings": {"url": "https://example.org/other"}}, format="json")
    assert changed.json()["settings"] == {"url": "https://example.org/other"}
    assert NotificationChannel.objects.get().secrets.open() == {"key": KEY}
    replaced = client.put(address, {**CHANNEL, "settings": {"url": "https://example.org/put"}}, format="json")
    assert replaced.status_code == 200
    assert NotificationChannel.objects.get().secrets.open() == {"key": KEY}
    listed = client.get(f"{ROOT}channels/")
    for response in (made, changed, replaced, listed, client.get(address)):
        assert KEY not in response.content.decode()
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert LogEntry.objects.count() == 4


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"kind": "pigeon"}, ["kind"]),
        ({"settings": {"url": "gopher://x", "key": KEY}}, ["settings.url"]),
        ({"settings": {"url": "https://example.org"}}, ["settings.key"]),
        ({"settings": {"url": "https://example.org", "key": KEY, "colour": 1}}, ["settings.colour"]),
        ({"settings": {"url": "https://example.org/\x00", "key": KEY}}, ["settings.url"]),
        ({"settings": "x"}, ["settings"]),
        ({"time_zone": "Mars/Base"}, ["time_zone"]),
        ({"quiet_from": "22:00"}, ["request"]),
        ({"colour": "red"}, ["colour"]),
        ({"name": ""}, ["name"]),
    ],
)
def test_what_is_wrong_with_a_channel_is_named(client, change, fields):
    response = post(client, "channels/", {**CHANNEL, **change})
    assert response.status_code == 400
    assert list(response.json()["fields"]) == fields
    assert KEY not in response.content.decode()


def test_two_channels_have_two_names_and_a_kind_stays(client):
    made = post(client, "channels/", CHANNEL).json()
    assert list(post(client, "channels/", CHANNEL).json()["fields"]) == ["name"]
    response = client.patch(f"{ROOT}channels/{made['id']}/", {"kind": "inbox"}, format="json")
    assert response.json()["fields"] == {"kind": ["The kind of a channel cannot be changed."]}


def test_a_test_shows_the_real_answer(client, httpserver, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    httpserver.expect_request("/in").respond_with_data("thanks", status=202)
    channel = webhook(httpserver.url_for("/in"))
    (tried,) = post(client, f"channels/{channel.pk}/test/").json()
    assert (tried["was_sent"], tried["status"], tried["answer"]) == (True, 202, "thanks")
    detail = client.get(f"{ROOT}deliveries/{tried['delivery']}/").json()
    assert (detail["purpose"], detail["state"]) == ("test", "sent")
    assert [attempt["status"] for attempt in detail["log"]] == [202]


def test_a_channel_without_code_cannot_be_tested(client):
    channel = inbox()
    NotificationChannel.objects.update(kind="pigeon")
    assert post(client, f"channels/{channel.pk}/test/").status_code == 404
    shown = client.get(f"{ROOT}channels/{channel.pk}/").json()
    assert "no kind of channel named 'pigeon'" in shown["address"]


def test_a_channel_is_disabled_and_enabled(client):
    channel = inbox()
    assert post(client, f"channels/{channel.pk}/disable/").json()["is_enabled"] is False
    NotificationChannel.objects.update(disabled_reason="Gone.", failures_in_a_row=3)
    body = post(client, f"channels/{channel.pk}/enable/").json()
    assert (body["is_enabled"], body["disabled_reason"], body["failures_in_a_row"]) == (True, "", 0)


def test_a_rule_with_its_steps_is_made_shown_and_changed(client):
    first, second = inbox("1"), inbox("2")
    wanted = {
        "name": "Nights",
        "changes": ["opened"],
        "kinds": ["jobs.*"],
        "channels": [first.pk],
        "steps": [{"after_minutes": 15, "channels": [second.pk]}],
        "from_time": "22:00",
        "until_time": "07:00",
        "time_zone": "Europe/Berlin",
    }
    made = post(client, "rules/", wanted)
    assert made.status_code == 201, made.content
    body = made.json()
    assert {**body, **wanted, "from_time": "22:00:00", "until_time": "07:00:00"} == body
    address = f"{ROOT}rules/{body['id']}/"
    changed = client.patch(
        address, {"steps": [{"after_minutes": 30, "channels": [first.pk]}], "stops": True}, format="json"
    ).json()
    assert changed["steps"] == [{"after_minutes": 30, "channels": [first.pk]}]
    assert (changed["stops"], changed["channels"]) == (True, [first.pk])
    assert (
        client.put(address, {"name": "Nights", "changes": ["resolved"]}, format="json").json()["steps"] == []
    )
    assert client.delete(address).status_code == 204


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"changes": []}, "changes"),
        ({"changes": ["exploded"]}, "changes.0"),
        ({"channels": [2**31 - 1]}, "channels"),
        ({"weekdays": [7]}, "weekdays.0"),
        ({"from_time": "10:00"}, "request"),
        ({"time_zone": "Nowhere"}, "time_zone"),
        ({"is_default": True}, "request"),
        ({"steps": [{"after_minutes": 0, "channels": []}]}, "steps.0.after_minutes"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(client, change, field):
    rule(inbox(), name="default", is_default=True)
    response = post(client, "rules/", {"name": "Rule", "changes": ["opened"], **change})
    assert response.status_code == 400
    assert field in response.json()["fields"], response.json()


def test_a_step_of_a_changed_rule_has_to_be_complete(client):
    made = rule(inbox())
    incomplete: list[dict[str, object]] = [{"after_minutes": 5}, {"channels": []}, {}]
    for step in incomplete:
        response = client.patch(f"{ROOT}rules/{made.pk}/", {"steps": [step]}, format="json")
        assert response.status_code == 400, step


def test_two_steps_at_one_time_are_refused(client):
    channel = inbox()
    steps = [{"after_minutes": 5, "channels": [channel.pk]}] * 2
    response = post(client, "rules/", {"name": "Rule", "changes": ["opened"], "steps": steps})
    assert list(response.json()["fields"]) == ["steps"]
    assert not NotificationRule.objects.exists()


def test_the_explanation_of_an_alert_and_of_a_description(client):
    made = rule(inbox("Chat"), kinds=["jobs.run_*"])
    alert = trouble()
    for asked in ({"alert": alert.pk}, {"kind": "jobs.run_failed", "severity": "high"}):
        body = post(client, "rules/explain/", asked).json()
        assert body["verdicts"] == [
            {"rule": made.pk, "name": "Rule", "matches": True, "reason": "It matches."}
        ]
        assert [(way["name"], way["reason"]) for way in body["ways"]] == [("Chat", "At once.")]
    assert post(client, "rules/explain/", {"alert": 2**31 - 1}).status_code == 400
    assert post(client, "rules/explain/").json()["fields"] == {"kind": ["Give an alert, or the kind of one."]}


def test_an_alert_of_another_group_is_not_explained(make_client):
    client = make_client("view_notificationrule", "view_alert")
    alert = trouble()
    Alert.objects.filter(pk=alert.pk).update(owner_group=Group.objects.create(name="others"))
    assert post(client, "rules/explain/", {"alert": alert.pk}).status_code == 400


def test_deliveries_are_listed_filtered_and_sent_again(client):
    chat, other = inbox("Chat"), inbox("Other")
    rule(chat, other)
    trouble(at=timezone.now())
    deliver_due(timezone.now())
    listed = client.get(f"{ROOT}deliveries/", {"channel": chat.pk, "state": "sent"}).json()["results"]
    assert [(row["channel"], row["title"]) for row in listed] == [(chat.pk, "Trouble with a")]
    address = f"deliveries/{listed[0]['id']}/retry/"
    assert post(client, address).status_code == 409
    Delivery.objects.update(state="failed")
    assert post(client, address).json()["state"] == "waiting"
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    assert client.get(f"{ROOT}deliveries/", {"since": soon}).json()["results"] == []


def test_a_page_of_deliveries_takes_one_query_however_many(make_client, django_assert_max_num_queries):
    client = make_client("view_delivery")
    rule(inbox("1"), inbox("2"), inbox("3"))
    for cause in "abcdef":
        trouble(cause, at=timezone.now())
    courier.prepare(timezone.now())
    with django_assert_max_num_queries(3):
        assert len(client.get(f"{ROOT}deliveries/").json()["results"]) == 18


def test_deliveries_about_another_groups_alerts_are_not_shown(make_client):
    client = make_client("view_delivery", "retry_delivery")
    mine, others = Group.objects.create(name="mine"), Group.objects.create(name="others")
    client.user.groups.add(mine)
    rule(inbox())
    for cause, group in (("a", mine), ("b", others), ("c", None)):
        alert = trouble(cause, at=timezone.now())
        Alert.objects.filter(pk=alert.pk).update(owner_group=group)
    courier.prepare(timezone.now())
    titles = {row["title"] for row in client.get(f"{ROOT}deliveries/").json()["results"]}
    assert titles == {"Trouble with a", "Trouble with c"}
    hidden = Delivery.objects.get(title="Trouble with b")
    assert client.get(f"{ROOT}deliveries/{hidden.pk}/").status_code == 404
    assert post(client, f"deliveries/{hidden.pk}/retry/").status_code == 404


def test_an_inbox_has_no_alerts_and_no_digest_lines_of_other_groups(db):
    mine, others = Group.objects.create(name="mine"), Group.objects.create(name="others")
    eve = User.objects.create_user("eve")
    eve.groups.add(mine)
    rule(inbox(settings={"users": ["eve"]}), pace="hourly", name="Hourly")
    rule(inbox("Direct", settings={"users": ["eve"]}), name="Direct")
    for cause, group in (("a", mine), ("b", others)):
        alert = trouble(cause, at=timezone.now())
        Alert.objects.filter(pk=alert.pk).update(owner_group=group)
    deliver_due(timezone.now())
    deliver_due(timezone.now() + timedelta(hours=2))
    text = "".join(f"{message.title}\n{message.text}" for message in InboxMessage.objects.all())
    assert InboxMessage.objects.count() == 2
    assert "Trouble with a" in text
    assert "Trouble with b" not in text


def test_the_inbox_is_ones_own(client, make_client):
    for user, title in ((client.user, "Mine"), (make_client(username="eve").user, "Hers")):
        InboxMessage.objects.create(user=user, title=title, severity="high", at=timezone.now())
    hers = InboxMessage.objects.get(title="Hers")
    listed = client.get(f"{ROOT}inbox/", {"unread": "true"}).json()["results"]
    assert [message["title"] for message in listed] == ["Mine"]
    assert client.get(f"{ROOT}inbox/summary/").json() == {"unread": 1, "by_severity": {"high": 1}}
    assert post(client, f"inbox/{hers.pk}/read/").status_code == 404
    assert post(client, f"inbox/{listed[0]['id']}/read/").json()["read_at"] is not None
    assert client.get(f"{ROOT}inbox/summary/").json() == {"unread": 0, "by_severity": {}}
    assert post(client, f"inbox/{listed[0]['id']}/unread/").json()["read_at"] is None
    assert post(client, "inbox/read-all/").json() == {"changed": 1}
    hers.refresh_from_db()
    assert hers.read_at is None


def test_nothing_secret_is_in_any_answer(client, httpserver, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    httpserver.expect_request("/services/T0/token").respond_with_data("token T0", status=403)
    url = httpserver.url_for("/services/T0/token")
    made = post(client, "channels/", {"name": "Chat", "kind": "slack", "settings": {"url": url}}).json()
    answers = [made, post(client, f"channels/{made['id']}/test/").json()]
    answers.append(client.get(f"{ROOT}deliveries/{answers[1][0]['delivery']}/").json())
    answers.append(client.get(f"{ROOT}channels/{made['id']}/").json())
    assert "services/T0" not in json.dumps(answers)
    assert made["settings"] == {}
