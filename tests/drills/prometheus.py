"""`python -m tests.drills.prometheus [seconds]`: a real Prometheus scrapes a running installation for a minute.

Runs are made all the time, the web process is restarted halfway, a scheduler is killed. In the end Prometheus must
know what the ledger knows, must have seen no counter go back, and must have evaluated every rule.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from django.db.models import Count

from jobs.models import JobRun
from tests.chaos.world import World, inside, new_world
from tests.drills.programs import ROOT, Program, fetch_json, free_port, program, until, web
from tests.jobs_for_tests import tasks

TOKEN = "the token of the drill, long enough"
FOLDER = ROOT / "docker" / "prometheus"


@dataclass(frozen=True)
class Found:
    """What Prometheus knows in the end, beside the ledger's own figures."""

    ended: dict[tuple[str, str], int]
    ended_in_ledger: dict[tuple[str, str], int]
    resets: float
    scrapes: float
    slowest_scrape_seconds: float
    names: set[str]
    broken_rules: list[str]
    number_of_rules: int


def is_installed() -> bool:
    """Debian's package `prometheus` has both programs."""
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


class Prometheus:
    """A running Prometheus."""

    def __init__(self, port: int, running: Program) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.running = running

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each sample that an expression gives now."""
        query = urlencode({"query": expression})
        answer = fetch_json(f"{self.address}/api/v1/query?{query}")
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def names(self) -> set[str]:
        """Every metric it has ever seen."""
        return set(fetch_json(f"{self.address}/api/v1/label/__name__/values")["data"])

    def rules(self) -> list[dict[str, str]]:
        groups = fetch_json(f"{self.address}/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(target: str, folder: Path) -> Iterator[Prometheus]:
    """Prometheus with our rules, scraping the target once a second."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(TOKEN)
    shutil.copy(FOLDER / "rules.yml", folder)
    text = (FOLDER / "prometheus.yml").read_text()
    for ours, here in (
        ("/run/secrets/metrics_token", str(folder / "token")),
        ("web:8000", target),
        ("15s", "1s"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (folder / "prometheus.yml").write_text(text)
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with program(*command, log=folder / "prometheus.log") as running:
        scraper = Prometheus(port, running)
        until(lambda: scraper.ask("up == 1"), "Prometheus has scraped us", running)
        yield scraper


def drill(world: World, folder: Path, *, seconds: float) -> Found:
    """Work for so long, and ask Prometheus what it saw."""
    world.worker()
    world.beat()
    port = free_port()
    settings = {"METRICS_TOKEN": TOKEN, "METRICS_FLUSH_SECONDS": "1"}
    with (
        web(port, log=folder / "web.log", **settings) as first,
        prometheus(f"127.0.0.1:{port}", folder / "prometheus") as scraper,
    ):
        until(lambda: scraper.ask("almanac_runs_total"), "the first counters are there")
        before = _counted(scraper)
        _work(seconds / 2)
        first.stop()
        with web(port, log=folder / "web-again.log", **settings):
            world.new_beat()
            _work(seconds / 2)
            world.settled()
            return _compare(scraper, before, seconds)


def _work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tasks.add_numbers.enqueue(left=1)
        tasks.fail_for_good.enqueue()
        time.sleep(0.1)


def _ledger() -> dict[tuple[str, str], int]:
    rows = JobRun.objects.finished().order_by().values_list("job", "status").annotate(count=Count("pk"))
    return {(job, status): count for job, status, count in rows}


def _counted(scraper: Prometheus) -> dict[tuple[str, str], int]:
    """What the counters say. They outlive the runs: those of a shared world begin with what was there before."""
    found = scraper.ask("sum by (job_name, outcome) (almanac_runs_total) > 0")
    return {(labels["job_name"], labels["outcome"]): int(value) for labels, value in found}


def _compare(scraper: Prometheus, before: dict[tuple[str, str], int], seconds: float) -> Found:
    ledger = _ledger()

    def ended() -> dict[tuple[str, str], int]:
        rises = {key: count - before.get(key, 0) for key, count in _counted(scraper).items()}
        return {key: rise for key, rise in rises.items() if rise}

    until(lambda: ended() == ledger, f"Prometheus knows {ledger}, it says {ended()}")
    window = f"{int(seconds) + 30}s"
    rules = scraper.rules()
    return Found(
        ended=ended(),
        ended_in_ledger=ledger,
        resets=sum(value for _, value in scraper.ask(f"resets(almanac_runs_total[{window}])")),
        scrapes=sum(value for _, value in scraper.ask(f"sum_over_time(up[{window}])")),
        slowest_scrape_seconds=max(
            value for _, value in scraper.ask(f"max_over_time(scrape_duration_seconds[{window}])")
        ),
        names=scraper.names(),
        broken_rules=[rule["name"] for rule in rules if rule["health"] != "ok"],
        number_of_rules=len(rules),
    )


def main() -> int:
    """0 when Prometheus and the ledger agree."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    if not is_installed():
        sys.stderr.write("Install Prometheus first: apt-get install prometheus\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with new_world(folder) as world, inside(world.stack):
            found = drill(world, folder, seconds=seconds)
    agree = found.ended == found.ended_in_ledger and not found.resets and not found.broken_rules
    said = {
        "ok": agree,
        "runs": sum(found.ended.values()),
        "scrapes": found.scrapes,
        "slowest_scrape_ms": round(found.slowest_scrape_seconds * 1000, 1),
        "counters_that_went_back": found.resets,
        "rules": found.number_of_rules,
        "broken_rules": found.broken_rules,
        "metrics": sorted(name for name in found.names if name.startswith("almanac")),
    }
    sys.stdout.write(json.dumps(said, indent=2) + "\n")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
