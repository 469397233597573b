"""Ids of requests, and what logs must not say."""

import io
import json
import logging
import logging.config

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from config import env, logs
from config.redaction import redact, redact_value


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("postgresql://almanac:s3cr3t@db/almanac", "postgresql://almanac:[hidden]@db/almanac"),
        ("Authorization: Bearer abcdefghijkl.mnop", "Authorization: Bearer [hidden]"),
        ("Authorization: Api-Key alm_0a1b2c3d_Zm9vYmFyYmF6", "Authorization: Api-Key [hidden]"),
        ("refused Api-Key alm_0a1b2c3d_Zm9vYmFyYmF6", "refused Api-Key [hidden]"),
        ("password=hunter2 and more", "password=[hidden] and more"),
        ('{"api_key": "abc def", "name": "x"}', '{"api_key": [hidden], "name": "x"}'),
        ("GET /hook?token=abcdef&x=1", "GET /hook?token=[hidden]&x=1"),
        ("the password was changed", "the password was changed"),
        ("tokens: 12 papers", "tokens: [hidden] papers"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_secrets_are_taken_out_of_text(text, left):
    assert redact(text) == left


def test_our_own_secrets_are_taken_out_wherever_they_stand():
    assert settings.SECRET_KEY not in redact(f"what is {settings.SECRET_KEY}?")


def test_values_with_secret_names_are_hidden():
    assert redact_value("api_key", "abc") == "[hidden]"
    assert redact_value("count", 3) == 3


def test_json_records_hold_errors_and_odd_values():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    config = logs.configuration("json", "INFO")["formatters"]["json"]
    handler.setFormatter(logging.config.DictConfigurator({}).configure_formatter(dict(config)))
    logger = logging.Logger("almanac.test")
    logger.addHandler(handler)
    try:
        raise ValueError("broken: password=abc\nsecond line")
    except ValueError:
        logger.exception("It %s", "failed")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["logger"]) == ("It failed", "error", "almanac.test")
    assert "ValueError" in record["exception"]
    assert "abc" not in line


def test_a_format_that_does_not_exist_is_refused(monkeypatch):
    monkeypatch.setenv("LOG_FORMAT", "xml")
    with pytest.raises(ImproperlyConfigured, match="console, json"):
        env.choice("LOG_FORMAT", "console", logs.FORMATS)


@pytest.mark.parametrize("given", ["", "no spaces please", "x" * 101, "ü"])
def test_an_unfit_request_id_is_replaced(given):
    answer = Client().get("/healthz", headers={"X-Request-ID": given})
    assert len(answer["X-Request-ID"]) == 32


def test_the_request_id_of_a_proxy_comes_back():
    assert Client().get("/healthz", headers={"X-Request-ID": "abc-1"})["X-Request-ID"] == "abc-1"
    assert Client().get("/healthz")["X-Request-ID"] != Client().get("/healthz")["X-Request-ID"]
