"""Metrics while servers are down, and after processes were killed."""

import time

import pytest
from django.test import Client
from django.test.utils import override_settings
from prometheus_client.parser import text_string_to_metric_families

from jobs.models import JobRun, RunTally
from tests.chaos.world import eventually
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.chaos


def scrape():
    """What Prometheus gets, by name and labels; and how long that took."""
    began = time.monotonic()
    with override_settings(METRICS_TOKEN="the scrape token"):
        answer = Client().get("/metrics", headers={"Authorization": "Bearer the scrape token"})
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.content.decode())
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in families
        for sample in metric.samples
    }
    return found, time.monotonic() - began


def test_a_broker_that_is_down_is_told_and_everything_else_too(world):
    world.stack.stop_broker()
    try:
        found, took = scrape()
    finally:
        world.stack.start_broker()
    assert (found["almanac_up", "broker"], found["almanac_up", "database"]) == (0, 1)
    assert ("almanac_runs_total", "testing.add_numbers", "succeeded") in found
    assert not [key for key in found if key[0] == "almanac_queue_messages"]
    assert took < 12


def test_a_database_that_is_down_is_told_and_the_answer_comes_quickly(world):
    world.stack.stop_database()
    try:
        found, took = scrape()
    finally:
        world.stack.start_database()
    assert (found["almanac_up", "broker"], found["almanac_up", "database"]) == (1, 0)
    assert ("almanac_queue_messages", "default") in found
    assert took < 12


def test_nothing_is_counted_twice_or_forgotten_when_schedulers_and_the_database_are_killed(world):
    before, _ = scrape()
    world.worker()
    for _ in range(3):
        world.new_beat()
    key = ("almanac_runs_total", "testing.add_numbers", "succeeded")
    for number in range(4):
        for left in range(25):
            tasks.add_numbers.enqueue(left=left)
        if number == 1:
            world.stop_beats()
            world.new_beat()
        if number == 2:
            world.restart_database(kill=True)
    world.beat()
    world.settled()
    succeeded = JobRun.objects.filter(status="succeeded").count()
    assert succeeded == 100
    assert scrape()[0][key] - before.get(key, 0) == 100
    eventually(lambda: not RunTally.objects.exists(), "the scheduler has folded every tally", tell=world.tell)
    assert scrape()[0][key] - before.get(key, 0) == 100
