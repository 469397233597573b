"""Settings that are each fine but wrong together."""

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import override_settings

from config import embedded


def ids(**changed: object) -> list[str | None]:
    with override_settings(**changed):
        return [message.id for message in run_checks() if str(message.id).startswith("config.")]


def test_settings_as_they_are_have_no_complaint() -> None:
    assert ids() == []


def test_lease_that_two_lost_heartbeats_would_end_is_an_error() -> None:
    assert ids(JOBS_LEASE_SECONDS=8.9, JOBS_HEARTBEAT_SECONDS=3) == ["config.E001"]
    assert ids(JOBS_LEASE_SECONDS=9, JOBS_HEARTBEAT_SECONDS=3) == []


@pytest.mark.parametrize("url", ["memory://", "filesystem://", "sqla+sqlite:///file", "host:6379"])
def test_broker_that_is_no_server_is_an_error(url: str) -> None:
    assert ids(BROKER_URL=url) == ["config.E002"]


def test_default_queue_that_no_worker_listens_to_is_an_error() -> None:
    assert ids(CELERY_TASK_DEFAULT_QUEUE="celery") == ["config.E003"]


def test_one_embedded_and_one_other_server_is_a_warning() -> None:
    own = embedded.urls(settings.BASE_DIR)
    assert ids(DATABASE_URL=own.database_url) == ["config.W001"]
    assert ids(BROKER_URL=own.broker_url) == ["config.W001"]
    assert ids(DATABASE_URL=own.database_url, BROKER_URL=own.broker_url) == []


def test_half_a_language_model_is_a_warning_and_a_wrong_address_an_error() -> None:
    assert ids(CHAT_BASE_URL="https://api.example.com/v1", CHAT_MODEL="m") == []
    assert ids(CHAT_BASE_URL="https://api.example.com/v1", CHAT_MODEL="") == ["config.W002"]
    assert ids(CHAT_BASE_URL="", CHAT_MODEL="m") == ["config.W002"]
    for wrong in ("api.example.com/v1", "ftp://api.example.com", "https://", "http://[::1"):
        assert ids(CHAT_BASE_URL=wrong, CHAT_MODEL="m") == ["config.E004"]
