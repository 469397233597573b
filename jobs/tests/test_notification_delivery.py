"""Sending for real: claims, attempts, backoff, refusals, health of channels, the courier's thread."""

import random
import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_httpserver import HTTPServer
from werkzeug import Response

from jobs.errors import IllegalState
from jobs.models import Alert, Delivery, DeliveryAttempt, InboxMessage, NotificationChannel
from jobs.notifications import configuration, courier, deliveries, sending
from jobs.notifications.message import Message
from jobs.secrets import Sealed, new_key
from jobs.tests.notifying import KEY, begin_anew, email, inbox, rule, told, trouble, webhook
from tests.smtp_server import mail_server

State = Delivery.State
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def nothing_is_set_up(db):
    begin_anew()


@pytest.fixture
def web(httpserver: HTTPServer, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    return httpserver


@pytest.fixture
def mail(tmp_path, settings):
    with mail_server(tmp_path / "mail") as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running


def post(channel, key=None, severity="high", now=None):
    """A delivery over a channel; for the first recipient, if it has several."""
    message = Message(type="alert.opened", title="Trouble", severity=severity, at=timezone.now(), text="Oh.")
    rows = deliveries.add(
        channel,
        message,
        purpose=Delivery.Purpose.ALERT,
        key=key or str(uuid.uuid4()),
        now=now or timezone.now(),
    )
    return rows[0]


def work(at=None):
    """Send what is due at a moment; returns how many attempts were made."""
    at = at or timezone.now()
    made = 0
    while claims := deliveries.claim(8, now=at):
        for claim in claims:
            sending.carry(claim)
            made += 1
    return made


def answering(web, *statuses, **options):
    """A receiver that gives these answers one after the other, then the last again and again."""
    left = list(statuses)

    def answer(request):
        return Response("said", status=left.pop(0) if len(left) > 1 else left[0], **options)

    web.expect_request("/hook").respond_with_handler(answer)
    return webhook(web.url_for("/hook"))


# Attempts


def test_what_was_sent_is_told_with_the_answer(web):
    channel = answering(web, 201)
    delivery = post(channel)
    assert work() == 1
    delivery.refresh_from_db()
    channel.refresh_from_db()
    assert (delivery.state, delivery.attempts, delivery.last_answer) == (State.SENT, 1, "said")
    (attempt,) = delivery.log.all()
    assert (attempt.outcome, attempt.status, attempt.number) == ("sent", 201, 1)
    assert attempt.request["to"] == web.url_for("/hook")
    assert channel.last_sent_at is not None
    assert work(timezone.now() + HOUR) == 0


def test_what_fails_for_now_is_made_again_later_under_the_same_id(web, monkeypatch):
    monkeypatch.setattr(sending, "delay_seconds", lambda attempt: 10 * attempt)
    channel = answering(web, 500, 503, 200)
    delivery = post(channel)
    begun = timezone.now()
    assert work() == 1
    delivery.refresh_from_db()
    assert delivery.state == State.WAITING
    assert 9 <= (delivery.due_at - begun).total_seconds() <= 13
    assert work(delivery.due_at - SECOND) == 0
    assert work(delivery.due_at) == 1
    delivery.refresh_from_db()
    assert work(delivery.due_at) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.SENT, 3)
    assert [(row.outcome, row.status) for row in delivery.log.order_by("number")] == [
        ("later", 500),
        ("later", 503),
        ("sent", 200),
    ]
    assert {request.headers["webhook-id"] for request, _ in web.log} == {str(delivery.pk)}
    assert len({request.data for request, _ in web.log}) == 1


def test_the_delay_is_drawn_evenly_below_a_bound_that_doubles():
    for attempt, bound in ((1, 30), (2, 60), (5, 480), (20, 3600), (1000, 3600)):
        drawn = [sending.delay_seconds(attempt) for _ in range(400)]
        assert 0 <= min(drawn) < bound * 0.1
        assert bound * 0.9 < max(drawn) <= bound


def test_retry_after_is_waited_for_by_the_whole_channel(web):
    channel = answering(web, 429, 200, headers={"Retry-After": "300"})
    post(channel)
    begun = timezone.now()
    work()
    post(channel)
    assert work(begun + timedelta(seconds=290)) == 0
    channel.refresh_from_db()
    assert channel.pause_until is not None
    assert 295 <= (channel.pause_until - begun).total_seconds() <= 305
    assert work(begun + timedelta(seconds=400)) >= 1


def test_after_a_day_it_is_given_up_and_people_are_told(web, monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    channel = answering(web, 500)
    delivery = post(channel, now=timezone.now() - deliveries.PATIENCE + 20 * SECOND)
    work()
    delivery.refresh_from_db()
    assert delivery.state == State.FAILED
    assert Alert.objects.get(kind="jobs.notification_failing").title == "Channel “Hook” does not deliver"


def test_what_waited_too_long_behind_a_disabled_channel_is_withdrawn(web):
    channel = answering(web, 200)
    delivery = post(channel)
    NotificationChannel.objects.update(is_enabled=False)
    assert work() == 0
    assert deliveries.withdraw_old(now=timezone.now() + 23 * HOUR) == 0
    assert deliveries.withdraw_old(now=timezone.now() + 25 * HOUR) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.WITHDRAWN, 0)
    assert web.log == []


def test_the_order_of_a_channel_is_kept(web):
    channel = answering(web, 200)
    ids = [str(post(channel).pk) for _ in range(5)]
    work()
    assert [request.headers["webhook-id"] for request, _ in web.log] == ids


def test_the_same_is_not_delivered_twice(web):
    channel = answering(web, 200)
    for _ in range(3):
        post(channel, key="event:1")
    assert work() == 1


# Refusals


@pytest.mark.parametrize("status", [410, 404, 403, 401, 301])
def test_a_refusal_for_good_disables_the_channel_and_says_so(web, status):
    channel = answering(web, status)
    waiting = post(channel)
    delivery = post(channel)
    work()
    channel.refresh_from_db()
    assert not channel.is_enabled
    assert str(status) in channel.disabled_reason
    alert = Alert.objects.get(kind="jobs.notification_failing")
    assert (alert.state, alert.title) == ("open", "Channel “Hook” was disabled")
    assert "enables it again" in alert.message
    states = {row.state for row in (waiting, delivery) if row.refresh_from_db() is None}
    assert states == {State.FAILED, State.WAITING}


def test_enabling_the_channel_sends_what_waits_and_ends_the_alert(web, admin_user):
    channel = answering(web, 410, 200)
    post(channel)
    second = post(channel)
    work()
    channel.refresh_from_db()
    configuration.enable(channel, by=admin_user)
    assert Alert.objects.get(kind="jobs.notification_failing").state == "resolved"
    assert work() == 1
    second.refresh_from_db()
    channel.refresh_from_db()
    assert second.state == State.SENT
    assert (channel.is_enabled, channel.disabled_reason, channel.failures_in_a_row) == (True, "", 0)


def test_a_refused_message_is_not_the_channels_end(web):
    channel = answering(web, 422, 200)
    refused, fine = post(channel), post(channel)
    assert work() == 2
    for row in (refused, fine, channel):
        row.refresh_from_db()
    assert (refused.state, fine.state, channel.is_enabled) == (State.FAILED, State.SENT, True)
    assert Alert.objects.get(kind="jobs.notification_failing").state == "resolved"


def test_the_failure_of_a_channel_is_told_over_the_others(web):
    broken, chat = answering(web, 410), inbox("Chat")
    rule(broken, chat)
    trouble(at=timezone.now())
    User.objects.create_superuser("ada")
    courier.deliver_due(timezone.now())
    courier.deliver_due(timezone.now())
    assert told(chat) == ["Opened: Trouble with a", "Opened: Channel “Hook” was disabled"]
    assert InboxMessage.objects.count() == 2


def test_many_failures_in_a_row_are_told_and_a_success_ends_that(web, monkeypatch):
    monkeypatch.setattr(sending, "delay_seconds", lambda attempt: 0)
    channel = answering(web, 500, 500, 500, 500, 500, 200)
    delivery = post(channel)
    for number in range(5):
        assert not Alert.objects.exists(), number
        work_once()
    assert Alert.objects.get().state == "open"
    work_once()
    delivery.refresh_from_db()
    channel.refresh_from_db()
    assert (delivery.state, channel.failures_in_a_row) == (State.SENT, 0)
    assert Alert.objects.get().state == "resolved"


def work_once():
    for claim in deliveries.claim(1, now=timezone.now() + SECOND):
        sending.carry(claim)


def test_a_recipient_that_is_refused_is_left_out_and_the_others_go_on(mail):
    channel = email("550@example.org", "ada@example.org")
    post(channel)
    work()
    channel.refresh_from_db()
    assert channel.is_enabled
    assert list(channel.refused_recipients) == ["550@example.org"]
    assert "No such mailbox" in channel.refused_recipients["550@example.org"]["reason"]
    assert "no longer sends to 550@example.org" in Alert.objects.get().title
    post(channel)
    assert work() == 1
    assert mail.recipients() == [["ada@example.org"]] * 2


def test_when_the_only_recipient_is_refused_the_channel_is_disabled(mail):
    channel = email("550@example.org")
    post(channel)
    work()
    channel.refresh_from_db()
    assert not channel.is_enabled
    assert "550" in channel.disabled_reason


def test_a_channel_whose_secrets_no_key_opens_is_disabled_with_the_reason(web, settings):
    channel = answering(web, 200)
    post(channel)
    settings.SECRETS_KEYS = [new_key()]
    work()
    channel.refresh_from_db()
    assert "bring back the key" in channel.disabled_reason
    assert web.log == []


def test_a_bug_in_a_kind_is_logged_and_the_message_is_kept(monkeypatch, caplog):
    from jobs.notifications.channels import get_kind

    def explode(envelope):
        raise RuntimeError("boom")

    channel = inbox()
    monkeypatch.setattr(get_kind("inbox"), "send", explode)
    delivery = post(channel)
    work()
    delivery.refresh_from_db()
    assert delivery.state == State.WAITING
    assert "RuntimeError: boom" in caplog.text


# Claims


def test_a_delivery_whose_process_died_is_made_again_and_the_dead_attempt_changes_nothing(web):
    channel = answering(web, 200)
    delivery = post(channel)
    (dead,) = deliveries.claim(1, now=timezone.now())
    later = timezone.now() + timedelta(seconds=121)
    assert deliveries.recover_lost(now=timezone.now()) == 0
    assert deliveries.claim(1, now=later) == []
    assert deliveries.recover_lost(now=later) == 1
    assert work(later) == 1
    assert not deliveries.finish(dead, DeliveryAttempt.Outcome.REFUSED, answer="too late")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.SENT, 2)
    assert [row.outcome for row in delivery.log.order_by("number")] == ["lost", "sent"]


def test_many_couriers_claim_each_delivery_once(transactional_db):
    begin_anew()
    channels = [inbox(str(number)) for number in range(6)]
    ids = {post(channel).pk for channel in channels for _ in range(3)}
    claimed: list[uuid.UUID] = []
    lock = threading.Lock()

    def take():
        for _ in range(30):
            for claim in deliveries.claim(2, now=timezone.now() + SECOND):
                with lock:
                    claimed.append(claim.delivery.pk)
                deliveries.finish(claim, DeliveryAttempt.Outcome.SENT, answer="")
            time.sleep(0.005)
        connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == ids


# Sending again, and trying out


def test_a_failed_delivery_is_sent_again_on_demand(web, admin_user):
    channel = answering(web, 422, 200)
    delivery = post(channel)
    work()
    assert deliveries.retry([delivery], by=admin_user) == 1
    assert work(timezone.now() + SECOND) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == (State.SENT, 2)
    with pytest.raises(IllegalState, match="is sent"):
        deliveries.retry([delivery], by=admin_user)


def test_a_test_is_sent_at_once_over_a_disabled_channel_too_and_changes_nothing(web, admin_user):
    channel = answering(web, 410, 200)
    NotificationChannel.objects.update(is_enabled=False, disabled_reason="Gone.")
    (tried,) = configuration.try_out(channel, by=admin_user)
    assert (tried.was_sent, tried.status) == (False, 410)
    assert "answered 410: said" in tried.answer
    (tried,) = configuration.try_out(channel, by=admin_user)
    assert (tried.was_sent, tried.status, tried.answer) == (True, 200, "said")
    channel.refresh_from_db()
    assert (channel.is_enabled, channel.disabled_reason) == (False, "Gone.")
    assert not Alert.objects.exists()
    assert tried.delivery.state == State.SENT


def test_a_test_goes_to_every_recipient(mail, admin_user):
    tried = configuration.try_out(email("ada@example.org", "550@example.org"), by=admin_user)
    assert [(one.delivery.recipient, one.was_sent, one.status) for one in tried] == [
        ("ada@example.org", True, 250),
        ("550@example.org", False, 550),
    ]
    assert tried[0].answer.startswith("2.0.0 Queued as")


# Secrets


def test_nothing_that_is_stored_about_a_delivery_has_a_secret_in_it(web):
    web.expect_request("/services/T0/B0/token").respond_with_data("no_service token", status=404)
    channel = NotificationChannel.objects.create(
        name="Chat", kind="slack", secrets=Sealed.of({"url": web.url_for("/services/T0/B0/token")})
    )
    post(channel)
    work()
    with connection.cursor() as cursor:
        for table in ("delivery", "deliveryattempt", "notificationchannel", "alert", "alertevent"):
            cursor.execute(f"SELECT t::text FROM jobs_{table} t")
            stored = "".join(row[0] for row in cursor.fetchall())
            assert "services/T0" not in stored, table
            assert KEY not in stored, table


# The thread


@pytest.fixture
def running_courier(transactional_db):
    begin_anew()
    courier.start()
    yield
    courier.stop()


def wait_for(condition, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_an_alert_arrives_by_itself(running_courier, web):
    channel = answering(web, 200)
    rule(channel)
    trouble(at=timezone.now())
    wait_for(lambda: Delivery.objects.filter(state=State.SENT).exists())
    assert len(web.log) == 1


def test_a_slow_receiver_keeps_back_its_own_channel_only(running_courier, settings):
    release = threading.Event()
    with HTTPServer(port=0, threaded=True) as web:
        settings.OUTBOUND_ALLOWED_HOSTS = [f"{web.host}:{web.port}"]
        web.expect_request("/slow").respond_with_handler(lambda request: _after(release))
        web.expect_request("/hook").respond_with_data("ok")
        slow, quick = webhook(web.url_for("/slow"), name="Slow"), webhook(web.url_for("/hook"), name="Quick")
        rule(slow, quick)
        for cause in "abc":
            trouble(cause, at=timezone.now())
        wait_for(lambda: Delivery.objects.filter(channel=quick, state=State.SENT).count() == 3)
        assert not Delivery.objects.filter(channel=slow, state=State.SENT).exists()
        release.set()
        wait_for(lambda: Delivery.objects.filter(channel=slow, state=State.SENT).count() == 3)


def _after(event):
    event.wait(10)
    return Response("ok")


def test_an_idle_courier_asks_one_query(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert not courier.is_anything_to_do(timezone.now())


def test_the_courier_outlives_a_broken_round(running_courier, monkeypatch, caplog, web):
    channel = answering(web, 200)
    broken = threading.Event()
    real = courier.prepare

    def prepare(now):
        if not broken.is_set():
            broken.set()
            raise RuntimeError("boom")
        real(now)

    monkeypatch.setattr(courier, "prepare", prepare)
    rule(channel)
    trouble(at=timezone.now())
    wait_for(lambda: Delivery.objects.filter(state=State.SENT).exists())
    assert broken.is_set()
    assert "A round of notifications broke" in caplog.text
