"""What streams are made of: addresses, wishes, and the figures that nobody writes down as an event."""

import json
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from jobs.errors import InvalidInput
from jobs.live.address import is_allowed_origin, stream_origin, stream_url
from jobs.live.pulse import Watch
from jobs.live.wishes import PERMISSIONS, Wish, wish_of
from jobs.models import ProcessHeartbeat, Visibility
from jobs.tests.staff import staff


@pytest.fixture
def request_to():
    def make(host: str, *, secure: bool = False):
        return RequestFactory(SERVER_NAME="unused").get("/", HTTP_HOST=host, secure=secure)

    return make


def test_pages_find_the_live_process_by_the_name_they_were_asked_for(settings, request_to):
    settings.ALLOWED_HOSTS = ["*"]
    settings.LIVE_PORT = 8050
    assert stream_url(request_to("localhost:8000")) == "http://localhost:8050/api/v1/events/"
    assert stream_url(request_to("[::1]:8000")) == "http://[::1]:8050/api/v1/events/"
    assert stream_url(request_to("example.org", secure=True)) == "https://example.org:8050/api/v1/events/"
    assert stream_origin(request_to("localhost:8000")) == "http://localhost:8050"


def test_behind_a_proxy_the_stream_is_of_the_pages_own_origin(settings, request_to):
    settings.LIVE_URL = "/api/v1/events/"
    assert stream_url(request_to("testserver")) == "/api/v1/events/"
    assert stream_origin(request_to("testserver")) == ""


def test_without_a_live_process_there_is_no_address(request_to):
    assert stream_url(request_to("testserver")) == ""
    assert stream_origin(request_to("testserver")) == ""


def test_only_pages_of_the_site_may_read(settings, request_to):
    settings.PORT = 8000
    settings.LIVE_ORIGINS = ["https://almanac.example.org"]
    request = request_to("localhost:8050")
    assert is_allowed_origin("http://localhost:8000", request)
    assert is_allowed_origin("https://almanac.example.org", request)
    for origin in ("http://localhost:9000", "https://localhost:8000", "http://127.0.0.1:8000", "null", ""):
        assert not is_allowed_origin(origin, request)


@pytest.mark.django_db
def test_the_policy_of_pages_lets_them_connect_to_the_live_process(settings, client):
    assert "connect-src 'self';" in client.get("/admin/login/")["Content-Security-Policy"]
    settings.LIVE_PORT = 8050
    policy = client.get("/admin/login/")["Content-Security-Policy"]
    assert "connect-src 'self' http://testserver:8050;" in policy


@pytest.mark.django_db
def test_wish_is_cut_down_to_what_its_person_may_see():
    viewer = staff("jobs.view_jobrun", name="viewer")
    assert wish_of({}, viewer).kinds == {"run"}
    assert wish_of({"kinds": "log, alert"}, viewer).kinds == {"log"}
    assert wish_of({}, staff(*set(PERMISSIONS.values()), name="all")).kinds == set(PERMISSIONS) - {"log"}
    assert wish_of({"kinds": "alert"}, viewer).kinds == frozenset()
    with pytest.raises(InvalidInput, match="cat"):
        wish_of({"kinds": "cat"}, viewer)


def test_wish_for_one_run_takes_other_kinds_too_but_no_other_run():
    wish = Wish(frozenset({"run", "log", "alert"}), "one", Visibility(frozenset({7})))
    assert wish.includes("run", "one")
    assert wish.includes("alert", None)
    assert wish.includes("log", "one", 7)
    assert not wish.includes("run", "two")
    assert not wish.includes("log", "one", 8)
    assert not wish.includes("worker", None)


@pytest.mark.django_db
def test_worker_that_falls_silent_is_told_once_and_one_that_says_goodbye_is_not():
    now = timezone.now()
    for name in ("silent", "polite", "steady"):
        ProcessHeartbeat.objects.create(kind="worker", name=name, pid=1, started_at=now, seen_at=now)
    watch = Watch()
    assert [one.kind for one in watch.measure()] == ["system"]
    ProcessHeartbeat.objects.filter(name="silent").update(seen_at=now - timedelta(minutes=5))
    ProcessHeartbeat.objects.filter(name="polite").delete()
    figures, told = watch.measure()
    assert (told.kind, b'"name":"silent"' in told.text, b'"state":"silent"' in told.text) == (
        "worker",
        True,
        True,
    )
    assert json.loads(figures.text.split(b"data: ")[1])["workers"] == 1
    assert len(watch.measure()) == 1
