"""A real Prometheus reads our metrics, and our rules and dashboard ask only for what is there."""

import json
import re
import subprocess

import pytest

from jobs.metrics import scrape
from tests.drills.programs import ROOT
from tests.drills.prometheus import drill, is_installed

RULES = ROOT / "docker" / "prometheus" / "rules.yml"
DASHBOARD = ROOT / "docker" / "grafana" / "almanac.json"
#: Series that Prometheus makes of a family, by its type.
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}

needs_prometheus = pytest.mark.skipif(not is_installed(), reason="Prometheus is not installed")


def known_names():
    return {
        metric.name + suffix for metric in scrape._scraper.families() for suffix in SUFFIXES[metric.type]
    } | set(re.findall(r"record: (\S+)", RULES.read_text()))


def asked_for(text):
    return set(re.findall(r"\balmanac[:_][a-z0-9_:]+", text))


def promtool(*arguments, given=None):
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, cwd=RULES.parent)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.django_db(transaction=True)
def test_rules_and_dashboard_ask_only_for_metrics_that_exist():
    rules = "\n".join(line for line in RULES.read_text().splitlines() if "alert:" not in line)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    wanted = asked_for(rules) | asked_for("\n".join(expressions))
    assert len(wanted) > 15
    assert wanted <= known_names()


@needs_prometheus
@pytest.mark.django_db(transaction=True)
def test_promtool_finds_nothing_to_say_about_our_metrics():
    text, _ = scrape.exposition("")
    assert promtool("check", "metrics", given=text) == (0, "")


@needs_prometheus
def test_promtool_accepts_the_rules_and_they_pass_their_own_tests():
    assert promtool("check", "rules", "rules.yml")[0] == 0
    code, said = promtool("test", "rules", "rules_test.yml")
    assert (code, "SUCCESS" in said) == (0, True), said


def test_every_alert_has_a_test_that_fires_it_and_one_that_does_not():
    alerts = set(re.findall(r"alert: (\S+)", RULES.read_text()))
    silent, *firing = (RULES.parent / "rules_test.yml").read_text().split("  - name: ")[1:]
    assert set(re.findall(r"alertname: (\w+)", silent)) == alerts
    assert set(re.findall(r"alertname: (\w+)", "".join(firing))) == alerts


@needs_prometheus
@pytest.mark.acceptance
@pytest.mark.chaos
def test_a_real_prometheus_counts_what_the_ledger_counts(world, tmp_path):
    found = drill(world, tmp_path, seconds=8)
    assert found.ended == found.ended_in_ledger
    assert found.resets == 0
    assert found.broken_rules == []
    assert {
        "almanac_http_requests_total",
        "almanac:runs_failed:ratio_30m",
        "almanac_queue_messages",
    } <= found.names
