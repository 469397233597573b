"""The content security policy of every response."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from config.security import ContentSecurityPolicy


def policy_of(path, response=None):
    answer = ContentSecurityPolicy(lambda request: response or HttpResponse())(RequestFactory().get(path))
    return dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))


def test_no_page_may_run_inline_scripts_or_be_framed():
    for path in ("/", "/admin/", "/api/v1/"):
        policy = policy_of(path)
        assert "'unsafe-inline'" not in policy["script-src"]
        assert policy["frame-ancestors"] == "'none'"
        assert policy["default-src"] == "'self'"


def test_only_the_admin_may_evaluate_expressions():
    assert policy_of("/admin/jobs/")["script-src"] == "'self' 'unsafe-eval'"
    assert policy_of("/elsewhere/")["script-src"] == "'self'"
    assert policy_of("/administration/")["script-src"] == "'self'"


def test_a_view_may_set_a_policy_of_its_own():
    own = HttpResponse(headers={"Content-Security-Policy": "sandbox allow-forms"})
    assert policy_of("/", own) == {"sandbox": "allow-forms"}


@pytest.mark.django_db
def test_real_pages_carry_the_policy_errors_too(client):
    assert "script-src 'self'" in client.get("/admin/login/")["Content-Security-Policy"]
    assert client.get("/nowhere/")["Content-Security-Policy"]


@pytest.mark.django_db
def test_bare_addresses_lead_to_pages(client):
    assert client.get("/")["Location"] == "/admin/"
    assert client.get("/api/v1/")["Location"] == "/api/v1/docs/"


@pytest.mark.django_db
def test_the_page_of_the_api_may_style_its_elements_and_no_more(client):
    policy = client.get("/api/v1/docs/")["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "script-src 'self';" in policy
