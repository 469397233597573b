from collections.abc import Iterator
from typing import Any

import pytest
from celery import signals


@pytest.fixture
def sent() -> Iterator[list[str]]:
    """The ids of all messages that go to the broker while the test runs."""
    ids: list[str] = []

    def remember(headers: dict[str, Any], **kwargs: Any) -> None:
        ids.append(headers["id"])

    signals.before_task_publish.connect(remember)
    yield ids
    signals.before_task_publish.disconnect(remember)
