"""The API is held against its own OpenAPI document: random requests, right and wrong, with and without a token.

No answer may be a 5xx, and none may have a status, a content type or a body that the document does not name.
`make fuzz` asks for longer.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from django.conf import settings
from django.contrib.auth.models import User
from django.core.wsgi import get_wsgi_application
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from rest_framework_simplejwt.tokens import AccessToken
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobs import follow, ledger, schedules
from jobs.models import ProcessHeartbeat
from jobs.schedules import Wish
from jobs.tests.workers import execute
from jobs.when import When
from knowledge.connectors import feeds
from publishing.tests.factories import make_agent, put_on_site
from tests.jobs_for_tests import tasks

DOCUMENT = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"
#: Random requests for each operation, with data of each kind (right, wrong), with a token; without one, a quarter.
EXAMPLES = int(os.environ.get("API_EXAMPLES", "6"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
METHODS = {"get", "post", "put", "patch", "delete"}
#: The same words as in `operations`, for those who only collect the tests: reading it all takes seconds.
LABELS = [
    f"{method.upper()} {path}"
    for path, methods in yaml.load(DOCUMENT.read_text(), yaml.CSafeLoader)["paths"].items()
    for method in methods.keys() & METHODS
]


@cache
def operations() -> dict[str, Any]:
    """What schemathesis knows of each operation."""
    schema = schemathesis.openapi.from_path(DOCUMENT)
    schema.app = get_wsgi_application()
    # One that cannot be read is missing here.
    return {found.ok().label: found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)}


def test_the_document_is_the_one_that_make_docs_writes():
    document = SchemaGenerator().get_schema(request=None, public=True)
    assert OpenApiYamlRenderer().render(document, renderer_context={}).decode() == DOCUMENT.read_text(), (
        "run `make docs`"
    )


def test_every_operation_is_explained_and_tells_its_errors():
    assert sorted(operations()) == sorted(LABELS)
    for operation in operations().values():
        raw = operation.definition.raw
        assert raw["description"], operation.label
        assert {"401", "403", "429"} <= set(raw["responses"]), operation.label


def test_the_page_of_the_document_is_served_without_a_cdn(client, db):
    page = client.get("/api/v1/docs/").content.decode()
    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://" not in page
    assert client.get("/api/v1/schema/").status_code == 200


@dataclass(frozen=True)
class World:
    """What random requests may hit."""

    token: str
    known: dict[str, list[Any]]


@pytest.fixture
def world(transactional_db, monkeypatch, settings) -> Iterator[World]:
    """A user who may do everything, runs in several states, a schedule, living processes."""
    # Random requests ask no real service: these addresses are refused before anything is sent.
    settings.PUBMED_URL = settings.ARXIV_URL = settings.EUROPEPMC_URL = "http://127.0.0.1:9"
    monkeypatch.setattr(feeds, "AUTHORITIES", {"Nobody": "http://127.0.0.1:9/feed"})
    user = User.objects.create_superuser("ada", "ada@example.org", "correct horse")
    ended = execute(tasks.fail_for_good.enqueue(as_bug=True))
    waiting = tasks.add_numbers.enqueue(left=1)
    running = tasks.count_slowly.enqueue()
    ledger.claim(running.id, worker="w@h", pid=1)
    schedule = schedules.create(
        Wish(name="Daily", job="testing.do_nothing", when=When(cron="@daily"), parameters={}), by=user
    )
    now = timezone.now()
    for kind, info in (("worker", {"queues": settings.JOBS_QUEUES, "concurrency": 2}), ("beat", {})):
        ProcessHeartbeat.objects.create(kind=kind, name=kind, pid=1, started_at=now, seen_at=now, info=info)
    # Nobody waits here: there is no worker.
    wait = follow.wait
    monkeypatch.setattr(follow, "wait", lambda run_id, *, timeout: wait(run_id, timeout=min(timeout, 0.02)))
    agent = make_agent()
    shown = put_on_site(agent=agent, slug="shown", tags=["walked"])
    yield World(
        token=str(AccessToken.for_user(user)),
        known={
            "id": [
                *(str(run.id) for run in (ended, waiting, running)),
                *(schedule.pk, agent.pk, shown.post_id, shown.publisher_id),
            ],
            "slug": ["shown"],
            "name": ["testing.do_nothing", "testing.add_numbers", "default"],
        },
    )


@pytest.mark.acceptance
@pytest.mark.parametrize("label", sorted(LABELS))
def test_random_requests_are_answered_as_documented(world, label):
    raw = operations()[label].definition.raw
    has_input = bool(raw.get("parameters")) or "requestBody" in raw
    for mode in GenerationMode if has_input else [GenerationMode.POSITIVE]:
        ask(label, mode, world, {"Authorization": f"Bearer {world.token}"}, EXAMPLES)
        ask(label, mode, world, {}, max(EXAMPLES // 4, 1))


def ask(label: str, mode: GenerationMode, world: World, headers: dict[str, str], count: int) -> None:
    """Send `count` random requests to one operation and check the answers."""

    @seed(20)
    @examples(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operations()[label].as_strategy(generation_mode=mode), data=st.data())
    def send(case, data):
        for name, value in (case.path_parameters or {}).items():
            # Random ids hit nothing: half of the requests name something that exists.
            if name in world.known and data.draw(st.booleans()):
                case.path_parameters[name] = data.draw(st.sampled_from(world.known[name])) or value
        case.call_and_validate(base_url="http://localhost", headers=headers, checks=CHECKS)

    send()
