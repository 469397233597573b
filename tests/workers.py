"""A worker for tests that need a run to be really carried out."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@contextmanager
def worker(database_url: str, broker_url: str) -> Iterator[None]:
    """One worker with one process, on this test's database and broker."""
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-c", "1", "-l", "WARNING"]
    environment: dict[str, Any] = {**os.environ, "DATABASE_URL": database_url, "BROKER_URL": broker_url}
    environment.pop("PYTEST_XDIST_WORKER", None)
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
