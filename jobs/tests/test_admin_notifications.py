"""The admin's pages of notifications: secrets go in and never out, controls ask for their permission."""

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from jobs.models import Delivery, InboxMessage, NotificationChannel, NotificationRule
from jobs.secrets import new_key
from jobs.tests.notifying import KEY, begin_anew, deliver_due, email, inbox, rule, trouble, webhook
from jobs.tests.staff import signed_in, staff

pytestmark = pytest.mark.django_db
CHANNELS, RULES = "/admin/jobs/notificationchannel/", "/admin/jobs/notificationrule/"
DELIVERIES, INBOX = "/admin/jobs/delivery/", "/admin/jobs/inboxmessage/"
FORM = {
    "name": "Hook",
    "time_zone": "Europe/Berlin",
    "parameter-url": "https://example.org/in",
    "parameter-key": KEY,
    "parameter-authorization": "",
}
VIEW = ("jobs.view_notificationchannel", "jobs.view_notificationrule", "jobs.view_delivery")


@pytest.fixture(autouse=True)
def nothing_is_set_up(db):
    begin_anew()


@pytest.fixture
def root(admin_client):
    return admin_client


def test_a_channel_is_added_in_two_steps(root):
    page = root.get(f"{CHANNELS}add/").content.decode()
    assert "?kind=webhook" in page
    assert "Slack or Mattermost" in page
    assert root.get(f"{CHANNELS}add/?kind=webhook").status_code == 200
    response = root.post(f"{CHANNELS}add/?kind=webhook", FORM)
    channel = NotificationChannel.objects.get()
    assert response["Location"] == f"{CHANNELS}{channel.pk}/change/"
    assert channel.settings == {"url": "https://example.org/in"}
    assert channel.secrets.open() == {"key": KEY}


def test_a_secret_is_never_shown_and_stays_when_it_is_left_empty(root):
    channel = webhook("https://example.org/in")
    address = f"{CHANNELS}{channel.pk}/change/"
    assert KEY not in root.get(address).content.decode()
    assert KEY not in root.get(CHANNELS).content.decode()
    root.post(address, {**FORM, "parameter-url": "https://example.org/new", "parameter-key": ""})
    channel.refresh_from_db()
    assert channel.settings == {"url": "https://example.org/new"}
    assert channel.secrets.open() == {"key": KEY}
    new = "whsec_" + "QUJD" * 12
    root.post(address, {**FORM, "parameter-key": new})
    channel.refresh_from_db()
    assert channel.secrets.open() == {"key": new}


def test_a_secret_that_was_typed_is_not_sent_back_with_an_error(root):
    page = root.post(f"{CHANNELS}add/?kind=webhook", {**FORM, "parameter-url": "gopher://x"})
    assert page.status_code == 200
    assert "begins with http:// or https://" in page.content.decode()
    assert KEY not in page.content.decode()
    assert not NotificationChannel.objects.exists()


def test_secrets_that_no_key_opens_are_said_to_be_and_can_be_entered_again(root, settings):
    channel = webhook("https://example.org/in")
    settings.SECRETS_KEYS = [new_key()]
    address = f"{CHANNELS}{channel.pk}/change/"
    assert "No key in SECRETS_KEYS opens" in root.get(address).content.decode()
    root.post(address, FORM)
    channel.refresh_from_db()
    assert channel.secrets.open() == {"key": KEY}


def test_a_channel_without_code_is_shown_and_cannot_be_changed(root):
    channel = inbox()
    NotificationChannel.objects.update(kind="pigeon")
    address = f"{CHANNELS}{channel.pk}/change/"
    assert "No code is left" in root.get(address).content.decode()
    assert root.post(address, FORM).status_code == 403


def test_the_test_button_shows_the_real_answer(root, httpserver, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    httpserver.expect_request("/in").respond_with_data("no such hook", status=404)
    channel = webhook(httpserver.url_for("/in"))
    page = root.post(f"{CHANNELS}{channel.pk}/test/", follow=True).content.decode()
    assert "The test was not sent." in page
    assert "answered 404: no such hook" in page
    assert root.get(f"{CHANNELS}{channel.pk}/test/").status_code == 405


def test_a_channel_that_was_disabled_says_why_and_how_to_enable_it(root):
    channel = inbox(is_enabled=False, disabled_reason="It answered 410.", disabled_at=timezone.now())
    address = f"{CHANNELS}{channel.pk}/change/"
    page = root.get(address).content.decode()
    assert "It answered 410. Correct the channel, send a test, then enable it again." in page
    root.post(f"{CHANNELS}{channel.pk}/enable/")
    channel.refresh_from_db()
    assert (channel.is_enabled, channel.disabled_reason) == (True, "")


def test_a_refused_recipient_is_shown(root):
    refused = {"a@example.org": {"reason": "550 No such mailbox", "at": "2026-11-21T08:00:00Z"}}
    channel = email("a@example.org", "b@example.org", refused_recipients=refused)
    page = root.get(f"{CHANNELS}{channel.pk}/change/").content.decode()
    assert "Nothing is sent to a@example.org any more: 550 No such mailbox" in page
    assert "Send to all again" in page


@pytest.mark.parametrize(
    ("path", "permission"),
    [
        ("test", "jobs.test_notificationchannel"),
        ("enable", "jobs.enable_notificationchannel"),
        ("disable", "jobs.enable_notificationchannel"),
        ("change", "jobs.change_notificationchannel"),
        ("delete", "jobs.delete_notificationchannel"),
    ],
)
def test_each_control_of_a_channel_has_its_permission(path, permission):
    channel = inbox()
    address = f"{CHANNELS}{channel.pk}/{path}/"
    form = {
        "name": "Changed",
        "time_zone": "UTC",
        "parameter-users": "",
        "parameter-groups": "",
        "post": "yes",
    }
    assert signed_in(staff(*VIEW)).post(address, form).status_code == 403
    allowed = signed_in(staff(*VIEW, permission, name="allowed"))
    assert allowed.post(address, form).status_code == 302


def test_viewers_see_the_pages_and_no_controls():
    channel, made = inbox(), None
    made = rule(channel)
    client = signed_in(staff(*VIEW))
    page = client.get(f"{CHANNELS}{channel.pk}/change/").content.decode()
    for control in ("Send a test", "Disable", "Delete", ">Save<"):
        assert control not in page
    assert client.get(f"{CHANNELS}add/").status_code == 403
    for address in (CHANNELS, RULES, DELIVERIES, f"{RULES}{made.pk}/change/", f"{RULES}explain/"):
        assert client.get(address).status_code == 200
    assert client.post(f"{RULES}{made.pk}/change/", {"name": "x"}).status_code == 403


def test_a_rule_is_made_with_a_step(root):
    first, second = inbox("1"), inbox("2")
    response = root.post(
        f"{RULES}add/",
        {
            "name": "Nights",
            "is_enabled": "on",
            "position": "5",
            "changes": ["opened", "resolved"],
            "severity_at_least": "high",
            "kinds": "jobs.run_*\r\n\r\npublishing.*",
            "sources": "",
            "weekdays": ["5", "6"],
            "from_time": "22:00",
            "until_time": "07:00",
            "time_zone": "Europe/Berlin",
            "channels": [first.pk],
            "pace": "at_once",
            "digest_at": "08:00",
            "repeat_minutes": "60",
            "steps-TOTAL_FORMS": "1",
            "steps-INITIAL_FORMS": "0",
            "steps-0-after_minutes": "15",
            "steps-0-channels": [second.pk],
        },
    )
    assert response.status_code == 302, response.context["errors"]
    made = NotificationRule.objects.get()
    assert (made.kinds, made.sources) == (["jobs.run_*", "publishing.*"], [])
    assert (made.weekdays, made.changes) == ([5, 6], ["opened", "resolved"])
    (step,) = made.steps.all()
    assert (step.after_minutes, list(step.channels.all())) == (15, [second])
    assert "high or worse" in root.get(RULES).content.decode()


def test_the_explanation_tells_what_would_happen(root):
    rule(inbox("Chat"), name="Runs", kinds=["jobs.run_*"])
    rule(inbox("Other"), name="Feeds", kinds=["publishing.*"])
    trouble()
    page = root.get(
        f"{RULES}explain/", {"change": "opened", "kind": "jobs.run_failed", "severity": "high"}
    ).content.decode()
    assert "It is about other kinds than jobs.run_failed: publishing.*." in page
    assert "At once." in page
    assert "Trouble with a" in page


def test_without_an_alert_or_the_kind_of_one_there_is_nothing_to_explain(root):
    answer = root.get(f"{RULES}explain/", {"change": "opened", "severity": "high"})
    assert list(answer.context["form"].errors) == ["kind"]
    assert answer.context["found"] is None


def test_a_delivery_shows_its_attempts_and_is_sent_again(root, httpserver, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    httpserver.expect_request("/in").respond_with_data("not like this", status=422)
    rule(webhook(httpserver.url_for("/in")))
    trouble(at=timezone.now())
    deliver_due(timezone.now())
    delivery = Delivery.objects.filter(channel__name="Hook").get()
    page = root.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()
    assert "422" in page
    assert "not like this" in page
    assert root.get(DELIVERIES).status_code == 200
    root.post(f"{DELIVERIES}{delivery.pk}/again/")
    delivery.refresh_from_db()
    assert delivery.state == "waiting"
    viewer = signed_in(staff(*VIEW))
    assert viewer.post(f"{DELIVERIES}{delivery.pk}/again/").status_code == 403


def test_a_delivery_about_a_thing_of_another_group_is_not_sent_again(root):
    rule(inbox())
    trouble(at=timezone.now())
    deliver_due(timezone.now())
    theirs = Group.objects.create(name="theirs")
    Delivery.objects.update(state=Delivery.State.FAILED, owner_groups=[theirs.pk])
    delivery = Delivery.objects.get()
    stranger = signed_in(staff(*VIEW, "jobs.retry_delivery"))
    assert stranger.post(f"{DELIVERIES}{delivery.pk}/again/").status_code == 404
    delivery.refresh_from_db()
    assert delivery.state == "failed"


def test_the_inbox_is_ones_own_and_opening_a_message_reads_it(admin_user, root):
    eve = staff("jobs.view_inboxmessage", "jobs.change_inboxmessage", name="eve")
    for user, title in ((admin_user, "Mine"), (eve, "Hers")):
        InboxMessage.objects.create(user=user, title=title, text="Text", severity="high", at=timezone.now())
    page = root.get(INBOX).content.decode()
    assert "Mine" in page
    assert "Hers" not in page
    mine, hers = InboxMessage.objects.get(title="Mine"), InboxMessage.objects.get(title="Hers")
    assert root.get(f"{INBOX}{hers.pk}/change/").status_code == 404
    assert "Text" in root.get(f"{INBOX}{mine.pk}/change/").content.decode()
    mine.refresh_from_db()
    hers.refresh_from_db()
    assert mine.read_at is not None
    assert hers.read_at is None
    signed_in(eve).post(f"{INBOX}read-all/")
    hers.refresh_from_db()
    assert hers.read_at is not None


def test_the_sidebar_counts_what_is_unread(admin_user, root):
    def badge():
        items = [item for group in root.get(INBOX).context["sidebar_navigation"] for item in group["items"]]
        return next(item["badge"] for item in items if item["title"] == "Inbox")

    assert badge() == 0
    for _ in range(3):
        InboxMessage.objects.create(user=admin_user, title="T", severity="low", at=timezone.now())
    assert badge() == 3
