"""Every kind of channel against real servers: a mail server's process, and HTTP on a local port."""

import json
import logging
import ssl
import threading
import time
import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from jobs.errors import InvalidParameters
from jobs.models import InboxMessage
from jobs.notifications import channels
from jobs.notifications.channels import ChannelKind, Envelope, all_kinds, get_kind
from jobs.notifications.channels import base as registry
from jobs.notifications.channels.webhook import key_bytes, sign
from jobs.notifications.errors import (
    ChannelRefused,
    NotNow,
    RecipientRefused,
    Refused,
    UnknownChannelKind,
)
from jobs.notifications.message import Fact, Item, Message, Section
from jobs.tests.certificates import self_signed
from tests.smtp_server import mail_server

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
MESSAGE = Message(
    type="alert.opened",
    title="Poll <feeds> & more failed",
    severity="critical",
    at=AT,
    change="Opened",
    text="The host did not answer.\nIt was asked 4 times.",
    facts=(Fact(label="Job", value="publishing.monitor_feeds"), Fact(label="Seen", value="3 times")),
    path="/admin/jobs/alert/7/change/",
    data={"alert": {"id": 7, "kind": "jobs.run_failed"}},
)
DIGEST = Message(
    type="digest",
    title="2 things happened",
    at=AT,
    items=(
        Item(title="One <b>", severity="high", change="Opened", at=AT, path="/admin/1/"),
        Item(title="Two", severity="low", change="Resolved", at=AT),
    ),
)
REPORT = Message(
    type="report",
    title="Daily\r\nBcc: evil@example.org summary",
    at=AT,
    html="<p>All <b>well</b><script>alert(1)</script></p>",
    text="All well",
    sections=(Section(title="By severity", facts=(Fact(label="High", value="2"),)),),
)
MESSAGES = [MESSAGE, DIGEST, REPORT]


@pytest.fixture(scope="session")
def mailbox(tmp_path_factory):
    with mail_server(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture
def mail(mailbox, settings):
    """A mail server that the settings name, without messages."""
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", mailbox.port
    settings.DEFAULT_FROM_EMAIL = "Almanac <almanac@example.org>"
    settings.SITE_URL = "https://almanac.example.org"
    mailbox.clear()
    return mailbox


@pytest.fixture
def web(httpserver: HTTPServer, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    settings.SITE_URL = "https://almanac.example.org"
    return httpserver


@pytest.fixture
def reader(db):
    return User.objects.create_superuser("ada", "ada@example.org", "correct horse")


#: How each kind is set up so that it can be sent over.
SETTINGS = {
    "email": lambda web: {"to": ["ada@example.org"]},
    "webhook": lambda web: {"url": web.url_for("/hook"), "key": KEY},
    "slack": lambda web: {"url": web.url_for("/services/T0/B0/token")},
    "inbox": lambda web: {},
}
WITH_HTTP = ["webhook", "slack"]


def envelope(kind, values, message=MESSAGE, **options):
    settings = kind.read(values)
    recipient = options.pop("recipient", kind.recipients(settings)[0])
    return Envelope(
        id=options.pop("id", uuid.uuid4()), message=message, settings=settings, recipient=recipient
    )


def post_to(web, name, **answer):
    """Send over a kind that speaks HTTP, with this answer of the server."""
    web.expect_request("/hook" if name == "webhook" else "/services/T0/B0/token").respond_with_data(**answer)
    return get_kind(name).send(envelope(get_kind(name), SETTINGS[name](web)))


# What every kind has to do


def test_the_settings_above_are_of_every_kind():
    assert set(SETTINGS) == {kind.name for kind in all_kinds()}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.type)
def test_every_kind_sends_every_message(mail, web, reader, name, message):
    web.expect_request("/hook").respond_with_data("ok")
    web.expect_request("/services/T0/B0/token").respond_with_data("ok")
    answer = get_kind(name).send(envelope(get_kind(name), SETTINGS[name](web), message))
    assert answer.status in {200, 250, None}
    assert json.dumps(dict(answer.request)) is not None


@pytest.mark.parametrize("name", SETTINGS)
def test_every_kind_explains_itself(web, name):
    kind = get_kind(name)
    assert kind.help_text.endswith(".")
    assert kind.label
    assert kind.icon
    for field, described in kind.parameters.model_json_schema()["properties"].items():
        assert described.get("title"), field
        assert described.get("description"), field


@pytest.mark.parametrize("name", SETTINGS)
def test_every_kind_names_what_is_wrong_with_its_settings(web, name):
    kind = get_kind(name)
    with pytest.raises(InvalidParameters) as caught:
        kind.clean({**SETTINGS[name](web), "colour": "red"})
    assert list(caught.value.fields) == ["colour"]


@pytest.mark.parametrize("name", SETTINGS)
def test_no_kind_shows_its_secrets(web, name):
    kind = get_kind(name)
    values = kind.clean(SETTINGS[name](web))
    settings = kind.read(values)
    for secret in kind.parameters.secret_names():
        hidden = values[secret]
        if hidden:
            assert hidden not in repr(settings)
            assert hidden not in kind.address(settings)
            with pytest.raises(InvalidParameters) as caught:
                kind.clean({**values, secret: {"not": "text", "but": hidden}})
            assert hidden not in str(caught.value)


@pytest.mark.parametrize("name", SETTINGS)
def test_what_a_kind_cleaned_it_reads_again(web, name):
    kind = get_kind(name)
    values = kind.clean(SETTINGS[name](web))
    assert kind.clean(values) == values
    assert json.loads(json.dumps(values)) == values


def test_a_kind_is_one_class_and_no_two_have_one_name(monkeypatch):
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))

    class Silence(ChannelKind[registry.Settings]):
        """Tells nobody."""

        name, label, icon, parameters = "silence", "Silence", "volume_off", registry.Settings

        def address(self, settings):
            return "nowhere"

        def send(self, envelope):
            return registry.Answer()

    registry.register(Silence)
    assert get_kind("silence").help_text == "Tells nobody."
    with pytest.raises(ValueError, match="two kinds"):
        registry.register(Silence)
    with pytest.raises(TypeError, match="no complete kind"):
        registry.register(ChannelKind)  # type: ignore[type-abstract]  # that is the point
    with pytest.raises(UnknownChannelKind):
        get_kind("pigeon")
    assert channels.find_kind("pigeon") is None


# Over HTTP


@pytest.mark.parametrize("name", WITH_HTTP)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (408, NotNow), (425, NotNow), (429, NotNow), (500, NotNow), (502, NotNow), (503, NotNow),
        (400, Refused), (413, Refused), (422, Refused),
        (401, ChannelRefused), (403, ChannelRefused), (404, ChannelRefused), (410, ChannelRefused),
        (301, ChannelRefused), (302, ChannelRefused), (307, ChannelRefused),
    ],
)  # fmt: skip
def test_what_a_status_means(web, name, status, error):
    with pytest.raises(error) as caught:
        post_to(web, name, response_data="no_such_thing", status=status)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert str(status) in str(caught.value)
    assert caught.value.request["bytes"] > 100
    assert "token" not in str(caught.value) + str(caught.value.request)


@pytest.mark.parametrize("name", WITH_HTTP)
def test_retry_after_is_handed_on(web, name):
    with pytest.raises(NotNow) as caught:
        post_to(web, name, status=429, headers={"Retry-After": "120"})
    assert caught.value.retry_after == 120


@pytest.mark.parametrize("name", WITH_HTTP)
def test_a_redirect_to_a_private_address_is_not_followed(web, name):
    web.expect_request("/inside").respond_with_data("secret")
    with pytest.raises(ChannelRefused, match="use the final address"):
        post_to(web, name, status=302, headers={"Location": web.url_for("/inside")})
    assert [request.path for request, _ in web.log if request.path == "/inside"] == []


@pytest.mark.parametrize("name", WITH_HTTP)
def test_a_private_address_is_not_asked(web, settings, name):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(ChannelRefused, match="private or reserved network"):
        post_to(web, name, response_data="ok")
    assert web.log == []


@pytest.mark.parametrize("name", WITH_HTTP)
def test_nobody_there_is_a_reason_to_try_again(web, settings, name):
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:1"]
    url = "http://127.0.0.1:1/services/T0/token"
    with pytest.raises(NotNow) as caught:
        get_kind(name).send(envelope(get_kind(name), SETTINGS[name](web) | {"url": url}))
    assert "token" not in str(caught.value) or name == "webhook"


def test_a_slow_receiver_does_not_hold_us_up(web, monkeypatch):
    monkeypatch.setattr("jobs.notifications.posting.LIMITS", registry_limits(0.5))
    is_over = threading.Event()

    def answer_slowly(request):
        is_over.wait(20)
        return Response("ok")

    web.expect_request("/hook").respond_with_handler(answer_slowly)
    started = time.monotonic()
    with pytest.raises(NotNow, match="in time"):
        get_kind("webhook").send(envelope(get_kind("webhook"), SETTINGS["webhook"](web)))
    assert time.monotonic() - started < 15
    is_over.set()


def registry_limits(seconds):
    from jobs.outbound import Limits

    return Limits(connect_seconds=seconds, read_seconds=seconds, total_seconds=seconds)


def test_a_certificate_that_nobody_trusts_closes_the_channel(tmp_path, settings):
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(host="127.0.0.1", port=0, ssl_context=context) as server:
        settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
        with pytest.raises(ChannelRefused, match=r"certificate of .* cannot be trusted: self-signed"):
            get_kind("webhook").send(
                envelope(get_kind("webhook"), {"url": f"https://127.0.0.1:{server.port}/", "key": KEY})
            )


def test_a_webhook_is_signed_over_its_id_its_time_and_its_body(web):
    delivery = uuid.uuid4()
    web.expect_request("/hook", method="POST").respond_with_data("thanks")
    answer = get_kind("webhook").send(envelope(get_kind("webhook"), SETTINGS["webhook"](web), id=delivery))
    assert (answer.status, answer.text) == (200, "thanks")
    request: Request = web.log[0][0]
    assert request.headers["webhook-id"] == str(delivery)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 30
    expected = sign(KEY, str(delivery), int(request.headers["webhook-timestamp"]), request.data)
    assert request.headers["webhook-signature"] == expected
    body = json.loads(request.data)
    assert body["id"] == str(delivery)
    assert body["type"] == "alert.opened"
    assert body["url"] == "https://almanac.example.org/admin/jobs/alert/7/change/"
    assert body["data"] == {"alert": {"id": 7, "kind": "jobs.run_failed"}}


def test_the_signature_is_the_one_of_the_specification():
    """The example of the Standard Webhooks specification."""
    body = b'{"test": 2432232314}'
    assert sign(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


@pytest.mark.parametrize("key", ["short", "whsec_AAAA", "whsec_!!!"])
def test_a_weak_key_is_refused(key):
    with pytest.raises(ValueError, match=r"24 bytes|not base64"):
        key_bytes(key)
    with pytest.raises(InvalidParameters) as caught:
        get_kind("webhook").clean({"url": "https://example.org", "key": key})
    assert list(caught.value.fields) == ["key"]


@pytest.mark.parametrize("url", ["ftp://example.org", "example.org", "http://", "https://exa mple.org", ""])
def test_an_address_that_is_none_is_refused(url):
    for name, values in (("webhook", {"key": KEY}), ("slack", {})):
        with pytest.raises(InvalidParameters) as caught:
            get_kind(name).clean({**values, "url": url})
        assert list(caught.value.fields) == ["url"]


def test_a_server_that_echoes_our_secrets_does_not_get_them_into_the_log(web):
    secret = "Bearer top-secret"
    web.expect_request("/hook").respond_with_data(f"You sent {secret} and {KEY}", status=400)
    values = SETTINGS["webhook"](web) | {"authorization": secret}
    with pytest.raises(Refused) as caught:
        get_kind("webhook").send(envelope(get_kind("webhook"), values))
    assert web.log[0][0].headers["authorization"] == secret
    assert "top-secret" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert "(hidden)" in str(caught.value)


def test_the_chat_gets_blocks_and_the_same_as_text(web):
    post_to(web, "slack", response_data="ok")
    body = json.loads(web.log[0][0].data)
    assert body["blocks"][0]["text"]["text"] == "🔴 Opened: Poll <feeds> & more failed"
    assert "Poll &lt;feeds&gt; &amp; more failed" in body["text"]
    assert "publishing.monitor_feeds" in body["text"]
    assert "<https://almanac.example.org/admin/jobs/alert/7/change/|Open in Almanac>" in body["text"]


def test_the_limits_of_the_chat_are_kept(web):
    web.expect_request("/services/T0/B0/token").respond_with_data("ok")
    long = Message(
        type="report",
        title="x" * 300,
        at=AT,
        text="y" * 10_000,
        facts=tuple(Fact(label=str(n), value="z" * 5000) for n in range(30)),
        sections=tuple(Section(title=str(n), text="t" * 4000) for n in range(80)),
    )
    get_kind("slack").send(envelope(get_kind("slack"), SETTINGS["slack"](web), long))
    blocks = json.loads(web.log[0][0].data)["blocks"]
    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) <= 150
    for block in blocks[1:]:
        assert len(block.get("text", {}).get("text", "")) <= 3000
        assert len(block.get("fields", [])) <= 10
        assert all(len(field["text"]) <= 2000 for field in block.get("fields", []))


# Over SMTP


def send_mail(to="ada@example.org", message=MESSAGE, **options):
    return get_kind("email").send(envelope(get_kind("email"), {"to": [to]}, message, **options))


def test_an_email_has_text_and_html_links_and_a_way_to_change_what_one_gets(mail):
    delivery = uuid.uuid4()
    answer = send_mail(id=delivery)
    assert answer.status == 250
    assert answer.text.startswith("2.0.0 Queued as")
    (message,) = mail.messages()
    assert mail.recipients() == [["ada@example.org"]]
    assert message["Subject"] == "Opened: Poll <feeds> & more failed"
    assert message["Message-ID"] == f"<{delivery}@example.org>"
    assert message["From"] == "Almanac <almanac@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"].strip().startswith("<https://almanac.example.org/admin/")
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    for body in (text, html):
        assert "https://almanac.example.org/admin/jobs/alert/7/change/" in body
        assert "publishing.monitor_feeds" in body
        assert "Change what you get" in body
    assert "Poll <feeds> & more failed" in text
    assert "Poll &lt;feeds&gt; &amp; more failed" in html
    assert "prefers-color-scheme: dark" in html


def test_a_title_cannot_add_headers(mail):
    send_mail(message=REPORT)
    (message,) = mail.messages()
    assert message["Bcc"] is None
    assert message["Subject"] == "Daily Bcc: evil@example.org summary"
    html = message.get_body(("html",)).get_content()
    assert "<b>well</b>" in html
    assert "script" not in html


@pytest.mark.parametrize(
    ("to", "error", "status"),
    [
        ("550@example.org", RecipientRefused, 550),
        ("451@example.org", NotNow, 451),
        ("421@example.org", NotNow, 421),
        ("552@example.org", Refused, 552),
    ],
)
def test_what_the_mail_server_says_is_understood(mail, to, error, status):
    with pytest.raises(error) as caught:
        send_mail(to)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert str(status) in str(caught.value)
    assert mail.messages() == []


def test_no_mail_server_is_a_reason_to_try_again_and_no_setting_is_none(mail, settings):
    settings.EMAIL_PORT = 1
    with pytest.raises(NotNow, match=r"127\.0\.0\.1:1 could not be asked"):
        send_mail()
    settings.EMAIL_HOST = ""
    with pytest.raises(ChannelRefused, match="EMAIL_HOST is not set"):
        send_mail()


def test_a_wrong_password_closes_the_channel_and_the_right_one_opens_it(tmp_path, settings, mail):
    with mail_server(tmp_path / "mail", "--password", "right") as guarded:
        settings.EMAIL_PORT = guarded.port
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "almanac", "wrong"
        with pytest.raises(ChannelRefused, match="refused our name or password: 535") as caught:
            send_mail()
        assert "wrong" not in str(caught.value)
        settings.EMAIL_HOST_PASSWORD = "right"
        assert send_mail().status == 250
        assert len(guarded.messages()) == 1


def test_tls_to_a_server_that_nobody_trusts_closes_the_channel(tmp_path, settings, mail):
    certificate, key = self_signed(tmp_path)
    with mail_server(tmp_path / "mail", "--certificate", str(certificate), "--key", str(key)) as encrypted:
        settings.EMAIL_PORT, settings.EMAIL_USE_TLS = encrypted.port, True
        with pytest.raises(ChannelRefused, match=r"certificate of .* cannot be trusted"):
            send_mail()


def test_tls_that_a_server_does_not_offer_closes_the_channel(settings, mail):
    settings.EMAIL_USE_TLS = True
    with pytest.raises(ChannelRefused, match="does not offer"):
        send_mail()


def test_addresses_are_checked_and_each_is_kept_once():
    kind = get_kind("email")
    assert kind.clean({"to": [" a@example.org", "a@example.org", "b@example.org"]}) == {
        "to": ["a@example.org", "b@example.org"]
    }
    with pytest.raises(InvalidParameters) as caught:
        kind.clean({"to": ["nobody"]})
    assert caught.value.fields == {"to.0": ["'nobody' is not an email address."]}


# In the inbox


def test_a_message_is_in_the_inbox_once_however_often_it_is_sent(reader):
    letter = envelope(get_kind("inbox"), {}, DIGEST)
    assert get_kind("inbox").send(letter).text == "In the inbox of 1."
    get_kind("inbox").send(letter)
    (message,) = InboxMessage.objects.all()
    assert (message.user, message.read_at, message.severity) == (reader, None, "low")
    assert "One <b>" in message.text


def test_an_inbox_channel_reaches_those_it_names(db):
    eve, bob, ann, _ = [User.objects.create_user(name) for name in ("eve", "bob", "ann", "zoe")]
    from django.contrib.auth.models import Group

    group = Group.objects.create(name="night watch")
    bob.groups.add(group)
    ann.user_permissions.add(Permission.objects.get(codename="view_inboxmessage"))
    off = User.objects.create_superuser("off", is_active=False)

    def reached(**settings):
        InboxMessage.objects.all().delete()
        get_kind("inbox").send(envelope(get_kind("inbox"), settings, DIGEST))
        return {message.user for message in InboxMessage.objects.select_related("user")}

    assert reached() == {ann}
    assert reached(users=["eve", "off"]) == {eve}
    assert reached(users=["eve"], groups=["night watch"]) == {eve, bob}
    assert off not in reached()


def test_an_inbox_without_readers_waits_for_one(db):
    with pytest.raises(NotNow, match="Nobody"):
        get_kind("inbox").send(envelope(get_kind("inbox"), {}, DIGEST))


def test_secrets_do_not_get_into_logs(web, caplog):
    caplog.set_level(logging.DEBUG)
    post_to(web, "slack", response_data="ok")
    post_to(web, "webhook", response_data="ok")
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "werkzeug")
    assert "token" not in ours
    assert KEY not in ours
    assert isinstance(get_kind("slack").read({"url": "https://x.example"}).url, SecretStr)
