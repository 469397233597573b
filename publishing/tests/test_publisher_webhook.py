"""Webhooks: what the receiver is shown and told, so that it can check the sender and keep up with changes."""

import base64
import ssl
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from jobs.errors import InvalidParameters
from jobs.notifications.channels.webhook import sign
from jobs.tests.certificates import self_signed
from publishing import publishers
from publishing.publishers import Outgoing, PublishLater, PublishRefused, Remote
from publishing.tests.faulty_server import Reply
from publishing.tests.receiver import KEY, Receiver

KIND = publishers.get_kind("webhook")


@pytest.fixture
def receiver(settings):
    with Receiver().running() as running:
        settings.OUTBOUND_ALLOWED_HOSTS = [running.host]
        yield running


def settings_of(receiver, **fields):
    return KIND.read({**receiver.settings(), **receiver.secrets(), **fields})


def post_of(**fields):
    return Outgoing(
        **{
            "marker": uuid4(),
            "title": "How it began",
            "slug": "how-it-began",
            "body_html": "<p>In the beginning.</p>",
            "published_at": datetime(2026, 11, 22, 9, 30, tzinfo=UTC),
            **fields,
        }
    )


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_every_message_is_signed_and_says_what_to_do(receiver, method):
    settings, post = settings_of(receiver, method=method), post_of()
    remote = KIND.send(post, settings)
    KIND.update(post_of(marker=post.marker, title="Anew"), remote, settings)
    KIND.withdraw(post, remote, settings)
    KIND.test(settings)
    told = [request.json() for request in receiver.requests]
    assert [(each["action"], each["type"]) for each in told] == [
        ("publish", "post.published"),
        ("update", "post.updated"),
        ("delete", "post.deleted"),
        ("test", "test"),
    ]
    assert {each.get("id") for each in told[:3]} == {str(post.marker)}
    assert told[1]["remote"] == told[2]["remote"] == {"id": remote.id, "url": remote.url}
    assert (told[0]["data"]["title"], told[1]["data"]["title"], told[2]["data"]) == (
        "How it began",
        "Anew",
        {},
    )
    for request in receiver.requests:
        headers = request.headers
        timestamp = int(headers["webhook-timestamp"])
        assert request.method == method
        assert headers["webhook-signature"] == sign(KEY, headers["webhook-id"], timestamp, request.body)


def test_attempts_at_publishing_share_their_id_and_changes_have_one_each(receiver):
    settings, post = settings_of(receiver), post_of()
    remote = KIND.send(post, settings)
    KIND.send(post, settings)
    KIND.update(post, remote, settings)
    KIND.update(post, remote, settings)
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids[0] == ids[1] == str(post.marker)
    assert len(set(ids)) == 3


def test_the_revision_is_that_of_the_text(receiver):
    settings, post = settings_of(receiver), post_of()
    remote = KIND.send(post, settings)
    KIND.update(post, remote, settings)
    KIND.update(post_of(marker=post.marker, title="Anew"), remote, settings)
    first, same, other = (request.json()["revision"] for request in receiver.requests)
    assert first == same != other


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"auth": "bearer", "token": "abc"}, "authorization", "Bearer abc"),
        (
            {"auth": "basic", "username": "jürgen", "token": "a:b"},
            "authorization",
            f"Basic {base64.b64encode('jürgen:a:b'.encode()).decode()}",
        ),
        ({"auth": "api_key", "token": "abc"}, "x-api-key", "abc"),
        ({"auth": "api_key", "token": "abc", "api_key_header": "X-Shop-Token"}, "x-shop-token", "abc"),
        ({"authorization": "Token abc"}, "authorization", "Token abc"),  # as publishers were set up before
    ],
)
def test_each_login_is_shown_when_sending_and_when_looking(receiver, fields, name, value):
    settings, post = settings_of(receiver, **fields), post_of()
    KIND.send(post, settings)
    assert KIND.find(post, settings) is not None
    assert [request.headers[name] for request in receiver.requests] == [value, value]


def test_without_a_login_none_is_shown(receiver):
    KIND.send(post_of(), settings_of(receiver))
    assert not {"authorization", "x-api-key"} & set(receiver.requests[0].headers)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("token", {"auth": "bearer"}),
        ("username", {"auth": "basic", "token": "abc"}),
        ("username", {"auth": "basic", "token": "abc", "username": "a:b"}),
        ("authorization", {"auth": "bearer", "token": "abc", "authorization": "Token abc"}),
        ("api_key_header", {"auth": "api_key", "token": "abc", "api_key_header": "Host"}),
        ("api_key_header", {"auth": "api_key", "token": "abc", "api_key_header": "webhook-id"}),
        ("api_key_header", {"auth": "api_key", "token": "abc", "api_key_header": "a b"}),
        ("token", {"auth": "bearer", "token": "abc\ndef"}),
        ("method", {"method": "GET"}),
        ("verify_ssl", {"verify_ssl": False}),
    ],
)
def test_logins_that_make_no_sense_are_refused_at_the_field_that_is_wrong(name, fields):
    with pytest.raises(InvalidParameters) as caught:
        KIND.clean({"url": "https://blog.example/", "key": KEY, **fields})
    assert list(caught.value.fields) == [name]


def test_a_certificate_that_nobody_trusts_is_refused_before_anything_is_sent(tmp_path, settings):
    receiver = Receiver()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*self_signed(tmp_path))
    receiver._server.socket = tls.wrap_socket(
        receiver._server.socket, server_side=True, do_handshake_on_connect=False
    )
    settings.OUTBOUND_ALLOWED_HOSTS = [receiver.host]
    with receiver.running(), pytest.raises(PublishLater, match="certificate verify failed"):
        KIND.send(post_of(), settings_of(receiver, url=f"https://{receiver.host}/posts"))
    assert receiver.requests == []


def test_the_number_of_a_post_may_be_called_post_id(receiver):
    receiver._found = lambda marker: Reply.json({"post_id": 17, "url": "javascript:alert(1)"})
    remote = KIND.send(post_of(), settings_of(receiver))
    assert (remote.id, remote.url) == ("17", "")


def test_a_change_without_an_answer_keeps_what_is_known_and_of_what_is_gone_is_refused(receiver):
    settings, post = settings_of(receiver), post_of()
    receiver.respond = lambda request: Reply(204)
    known = Remote(id="17", url="https://blog.example/17")
    assert KIND.update(post, known, settings) == Remote(id="17", url="https://blog.example/17", status=204)
    receiver.respond = lambda request: Reply.json({}, 410)
    with pytest.raises(PublishRefused, match="410"):
        KIND.update(post, known, settings)
    KIND.withdraw(post, known, settings)  # nothing there is fine


@pytest.mark.parametrize(
    "fields", [{"auth": "bearer"}, {"auth": "basic", "username": "me"}, {"auth": "api_key"}]
)
def test_what_was_shown_never_comes_back_in_messages(receiver, fields):
    settings = settings_of(receiver, token="a-secret-token", **fields)
    receiver.respond = lambda request: Reply(400, str(request.headers).encode())
    with pytest.raises(PublishRefused) as caught:
        KIND.send(post_of(), settings)
    shown = base64.b64encode(b"me:a-secret-token").decode()
    assert "a-secret-token" not in str(caught.value)
    assert shown not in str(caught.value)
