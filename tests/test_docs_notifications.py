"""The page on notifications is executed: its recipe checks real webhooks, its example is a kind of channel."""

import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from jobs.models import Delivery
from jobs.notifications.channels import Envelope, base, get_kind
from jobs.notifications.message import Message
from jobs.tests.notifying import KEY, begin_anew, inbox, rule

PAGE = Path(__file__).resolve().parent.parent / "docs" / "notifications.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(block: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, PAGE.name, "exec"), namespace)
    return namespace


@pytest.mark.parametrize("key", [KEY, "a key of more than twenty-four characters"])
def test_the_recipe_accepts_what_we_send_and_nothing_else(httpserver, settings, key):
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    httpserver.expect_request("/").respond_with_data("ok")
    kind = get_kind("webhook")
    kind.send(
        Envelope(
            id=uuid.uuid4(),
            message=Message(type="alert.opened", title="Grüße", at=timezone.now()),
            settings=kind.read({"url": httpserver.url_for("/"), "key": key}),
        )
    )
    request = httpserver.log[0][0]
    headers = {name.lower(): value for name, value in request.headers.items()}
    is_genuine = run(blocks()[0])["is_genuine"]
    assert is_genuine(key, headers, request.data)
    assert not is_genuine(key, headers, request.data + b" ")
    assert not is_genuine(key, headers | {"webhook-id": str(uuid.uuid4())}, request.data)
    assert not is_genuine("another key of more than 24 bytes", headers, request.data)
    old = str(int(time.time()) - 3600)
    assert not is_genuine(key, headers | {"webhook-timestamp": old}, request.data)


def test_the_example_of_a_kind_works_as_written(monkeypatch):
    monkeypatch.setattr(base, "_registry", dict(base._registry))
    run(blocks()[1])
    kind = get_kind("console")
    envelope = Envelope(
        id=uuid.uuid4(),
        message=Message(type="test", title="Hello", at=timezone.now()),
        settings=kind.read({"prefix": ">>"}),
    )
    assert kind.send(envelope).text == ">>Hello"


def test_the_example_of_a_report_works_as_written(db):
    begin_anew()
    rule(inbox(), changes=["report"])
    run(blocks()[2])
    assert Delivery.objects.get().title == "This week"
