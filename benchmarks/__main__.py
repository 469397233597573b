"""Run every benchmark and keep what it says in `benchmarks/results/<name>.json`."""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import INHERITED
from benchmarks.harness import ROOT, surroundings

RESULTS = Path(__file__).parent / "results"


def names() -> list[str]:
    """The modules of this package that can be run: those that end in a call of `harness.main`."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return [module.stem for module in modules if f'main("{module.stem}", ' in module.read_text()]


def run(name: str, options: list[str]) -> bool:
    """Run one benchmark and write its result; whether it met its targets."""
    print(f"\n== {name}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    lines = []
    environment = {key: value for key, value in os.environ.items() if key != INHERITED}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    results = [json.loads(line) for line in lines if line.startswith('{"name"')]
    if results:
        *rows, head = results
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(head | {"rows": rows, "options": options} | asdict(surroundings()), indent=2)
        (RESULTS / f"{name}.json").write_text(f"{text}\n")
    return process.returncode == 0


def main() -> int:
    """1 when a benchmark failed or missed a target; all of them run in any case."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller samples, below 45 seconds each")
    parser.add_argument("names", nargs="*", help=f"only these of {', '.join(names())}")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names()):
        parser.error(f"there is no benchmark named {', '.join(sorted(unknown))}")
    options = ["--quick"] if chosen.quick else []
    missed = [name for name in chosen.names or names() if not run(name, options)]
    if missed:
        print(f"\nMissed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
