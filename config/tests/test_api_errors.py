"""One shape for every error below /api/."""

import time

import pytest
from django.core.cache import cache
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient

from config.api import answer_to_error
from jobs.errors import JobsError

pytestmark = pytest.mark.django_db


def shape(response):
    assert response["Content-Type"].startswith("application/json")
    assert {"code", "message"} <= set(response.json()) <= {"code", "message", "fields"}
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/runs/x/", "/api/v2/", "/api/v1/jobs/%00/"])
def test_an_address_that_does_not_exist_is_404(path):
    assert shape(APIClient().get(path)) == (404, "not_found")


def test_pages_outside_the_api_keep_their_own_errors():
    response = Client().get("/nothing/")
    assert (response.status_code, response["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_only_json_is_served():
    assert shape(APIClient().get("/api/v1/auth/login/", HTTP_ACCEPT="text/html")) == (406, "not_acceptable")


def test_too_many_requests_are_429_with_the_time_to_wait(settings, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_800_000_030.0)  # in the middle of a minute
    settings.API_ANONYMOUS_RATE = 2
    cache.clear()
    answers = [APIClient().post("/api/v1/auth/login/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert shape(answers[2]) == (429, "throttled")
    assert answers[2]["Retry-After"] == "30"
    cache.clear()


def test_a_database_that_does_not_answer_is_503_and_says_when_to_come_back():
    response = answer_to_error(OperationalError("gone"), {})
    assert response is not None
    assert (response.status_code, response.data["code"], response.headers["Retry-After"]) == (
        503,
        "unavailable",
        "5",
    )


def test_a_refusal_of_the_control_plane_without_a_family_is_409():
    response = answer_to_error(JobsError(), {})
    assert response is not None
    assert response.status_code == 409


def test_a_bug_is_not_dressed_up():
    assert answer_to_error(ZeroDivisionError(), {}) is None


def test_a_bug_answers_500_in_the_same_shape_and_tells_nothing(monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("jobs.health.Monitor.look", broken)
    response = Client(raise_request_exception=False).get("/api/v1/health/")
    assert shape(response) == (500, "error")
    assert b"secret" not in response.content


def test_an_unknown_host_is_400():
    assert shape(Client(headers={"host": "evil.example"}).get("/api/v1/jobs/")) == (400, "bad_request")
