"""`runs/{id}/delays/` and `runs/delays/`."""

import random
import uuid

import pytest

from jobs import delays
from jobs.tests.test_delay_statistics import some_run
from jobs.tests.workers import execute
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db
RUNS = "/api/v1/runs/"


def test_the_parts_of_a_run_add_up(client):
    run = execute(tasks.add_numbers.enqueue(left=1))
    told = client.get(f"{RUNS}{run.id}/delays/").json()
    assert told["has_ended"] is True
    assert sum(part["seconds"] for part in told["parts"]) == pytest.approx(told["seconds"], abs=1e-5)
    last = told["parts"][-1]
    assert (last["kind"], last["title"], last["attempt"]) == ("execution", "Running", 1)
    assert last["sentence"].startswith("It ran for")


def test_an_unknown_run_is_404(client):
    assert client.get(f"{RUNS}{uuid.uuid4()}/delays/").status_code == 404


def test_delays_of_many_runs(client):
    rng = random.Random(7)
    for _ in range(8):
        some_run(rng, "testing.add_numbers")
    told = client.get(f"{RUNS}delays/", {"window": "2h", "by": "queue"}).json()
    assert told["total"]["runs"] == 8
    assert {group["name"] for group in told["groups"]} == {"sources", "reports"}
    assert told["step_seconds"] == 300
    means = sum(part["mean"] for part in told["total"]["parts"])
    assert means == pytest.approx(told["total"]["whole"]["mean"])
    assert sum(piece["runs"] for piece in told["over_time"]) == 8
    assert client.get(f"{RUNS}delays/", {"job": "no.such"}).json()["total"] == {
        "runs": 0,
        "whole": None,
        "parts": [],
    }


def test_the_statistics_have_them_too(client):
    some_run(random.Random(7), "testing.add_numbers")
    kinds = {part["kind"] for part in client.get(f"{RUNS}stats/").json()["delays"]}
    assert {"queue", "execution"} <= kinds <= {kind.value for kind in delays.Kind}


@pytest.mark.parametrize("query", [{"window": "soon"}, {"by": "worker"}, {"job": "x" * 201}])
def test_a_question_that_makes_no_sense_is_refused(client, query):
    response = client.get(f"{RUNS}delays/", query)
    assert response.status_code == 400
    assert response.json()["fields"].keys() == query.keys()


@pytest.mark.parametrize("address", ["delays/", "0191a7c2-0000-7000-8000-000000000000/delays/"])
def test_they_need_the_permission_to_see_runs(make_client, address):
    assert make_client("view_schedule").get(RUNS + address).status_code == 403
