"""The jobs of notifications, executed as a worker does."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from jobs.errors import InvalidParameters
from jobs.models import Delivery, InboxMessage, JobRun
from jobs.notifications import tasks
from jobs.notifications.channels.webhook import sign
from jobs.tasks import daily_summary
from jobs.tests.notifying import KEY, begin_anew, inbox, rule, told, webhook
from jobs.tests.workers import execute
from tests.smtp_server import mail_server

pytestmark = pytest.mark.django_db(transaction=True)
Status = JobRun.Status


@pytest.fixture
def mail(tmp_path, settings):
    with mail_server(tmp_path / "mail") as running:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", running.port
        yield running


@pytest.fixture
def web(httpserver, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    return httpserver


def test_an_email_is_sent_and_the_server_s_answer_is_the_result(mail, flush_broker):
    run = execute(
        tasks.send_email.enqueue(
            to=["ada@example.org"], subject="Hello", text="You", html="<b>You</b><script>x</script>"
        )
    )
    assert run.status == Status.SUCCEEDED
    assert run.result is not None
    assert run.result["answers"]["ada@example.org"].startswith("250 2.0.0 Queued as")
    (message,) = mail.messages()
    assert message["Subject"] == "Hello"
    assert message.get_body(("html",)).get_content().strip() == "<b>You</b>"


def test_a_refused_email_fails_the_run_with_the_reason(mail, flush_broker):
    run = execute(tasks.send_email.enqueue(to=["550@example.org"], subject="Hello", text="You"))
    assert run.status == Status.FAILED
    assert "550 5.1.1 No such mailbox" in run.error_message
    assert run.traceback == ""


def test_some_refused_emails_make_the_run_a_partial_success(mail, flush_broker):
    run = execute(
        tasks.send_email.enqueue(to=["550@example.org", "ada@example.org"], subject="Hello", text="You")
    )
    assert run.status == Status.PARTIAL
    assert mail.recipients() == [["ada@example.org"]]


def test_a_mail_server_that_is_busy_is_asked_again(mail, flush_broker):
    run = execute(tasks.send_email.enqueue(to=["451@example.org"], subject="Hello", text="You"))
    assert run.status == Status.RETRYING


@pytest.mark.parametrize("to", [[], ["nobody"]])
def test_wrong_addresses_are_refused_before_anything_runs(to):
    with pytest.raises(InvalidParameters) as caught:
        tasks.send_email.enqueue(to=to, subject="Hello", text="You")
    assert all(name.startswith("to") for name in caught.value.fields)


def test_a_webhook_is_posted_unsigned_to_an_address(web, flush_broker):
    web.expect_request("/in").respond_with_data("thanks")
    run = execute(tasks.send_webhook.enqueue(payload={"a": [1, "ä"]}, url=web.url_for("/in")))
    assert run.status == Status.SUCCEEDED
    assert run.result is not None
    assert run.result["status"] == 200
    request = web.log[0][0]
    assert json.loads(request.data) == {"a": [1, "ä"]}
    assert request.headers["webhook-id"] == str(run.id)
    assert "webhook-signature" not in request.headers


def test_a_webhook_over_a_channel_is_signed_with_its_key(web, flush_broker):
    web.expect_request("/in").respond_with_data("thanks")
    webhook(web.url_for("/in"), name="Partner")
    run = execute(tasks.send_webhook.enqueue(payload={}, channel="Partner"))
    assert run.status == Status.SUCCEEDED
    request = web.log[0][0]
    stamp = int(request.headers["webhook-timestamp"])
    assert request.headers["webhook-signature"] == sign(KEY, str(run.id), stamp, request.data)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "Give either an address"),
        ({"channel": "Nobody"}, "There is no webhook channel named 'Nobody'"),
        ({"url": "http://10.0.0.1/"}, "private or reserved network"),
    ],
)
def test_a_webhook_that_cannot_go_anywhere_fails_with_the_reason(flush_broker, given, reason):
    run = execute(tasks.send_webhook.enqueue(payload={}, **given))
    assert run.status == Status.FAILED
    assert reason in run.error_message


@pytest.mark.parametrize(
    ("status", "expected"), [(410, Status.FAILED), (400, Status.FAILED), (500, Status.RETRYING)]
)
def test_what_the_receiver_of_a_webhook_says_decides(web, flush_broker, status, expected):
    web.expect_request("/in").respond_with_data("no", status=status)
    run = execute(tasks.send_webhook.enqueue(payload={}, url=web.url_for("/in")))
    assert run.status == expected
    assert str(status) in run.error_message


def test_the_daily_summary_is_delivered_once_however_often_it_is_tried(flush_broker):
    begin_anew()
    chat = inbox()
    rule(chat, changes=["report"], kinds=["jobs.daily_summary"])
    run = execute(daily_summary.enqueue())
    assert run.status == Status.SUCCEEDED
    assert told(chat) == ["Almanac: no open alerts"]


def test_old_deliveries_and_read_messages_are_forgotten(flush_broker):
    begin_anew()
    chat, ada = inbox(), User.objects.create_superuser("ada")
    now = timezone.now()
    for days, state in ((100, "sent"), (100, "waiting"), (10, "failed")):
        Delivery.objects.create(
            channel=chat,
            key=f"{days} {state}",
            purpose="alert",
            title="T",
            message={"change": ""},
            state=state,
            created_at=now - timedelta(days=days),
            due_at=now,
            expires_at=now,
        )
    for days, is_read in ((100, True), (100, False), (1, True)):
        at = now - timedelta(days=days)
        InboxMessage.objects.create(
            user=ada, title="T", severity="low", at=at, read_at=at if is_read else None
        )
    run = execute(tasks.cleanup_deliveries.enqueue())
    assert run.result == {"deliveries": 1, "messages": 1}
    assert set(Delivery.objects.values_list("key", flat=True)) == {"100 waiting", "10 failed"}
