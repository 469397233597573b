"""The page on adding a kind of publisher is executed: what it shows publishes once, whatever happens on the wire."""

import re
from pathlib import Path
from typing import Any

import pytest

from jobs.outbound import Limits
from publishing import publications, publishers
from publishing.publishers import exchange, registry
from publishing.tests.factories import make_publication, make_publisher
from publishing.tests.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bulletin(monkeypatch, settings):
    settings.PUBLISHING_SETTLING_SECONDS = settings.PUBLISHING_RETRY_SECONDS = 0
    monkeypatch.setattr(exchange, "LIMITS", Limits(connect_seconds=2, read_seconds=0.2, total_seconds=2))
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-publisher.md").read_text(), re.DOTALL)
    namespace: dict[str, Any] = {"__name__": "publishing.publishers.bulletin"}
    exec(compile(code, "add-a-publisher.md", "exec"), namespace)
    return publishers.get_kind("bulletin")


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["", "dropped", "cut", "half", "busy", "broken_but_kept", "wrong_json"])
def test_the_kind_on_the_page_publishes_once(bulletin, settings, fault):
    receiver = Receiver()
    with receiver.running() as board:
        settings.OUTBOUND_ALLOWED_HOSTS = [board.host]
        publisher = make_publisher("bulletin", settings={"url": receiver.url}, secrets={"token": "pin"})
        publication = make_publication(publisher)
        left = [fault]
        board.fault = lambda marker: left.pop() if left else ""
        while publications.carry_out(publication.pk):
            pass
        publication.refresh_from_db()
        assert publication.state == "published" and publication.remote_url
        assert board.count(str(publication.marker)) == 1
        assert board.requests[0].headers["authorization"] == "Bearer pin"
