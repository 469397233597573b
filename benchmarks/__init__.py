"""Benchmarks: `python -m benchmarks.<name> [--quick]`, or `make bench` for all of them.

Each measures on servers of its own, which start empty and are gone afterwards. Importing the package chooses
their addresses and prepares Django, so that the modules import models as usual; processes that a benchmark
starts inherit both through the environment.
"""

import os

import django

from tests.servers import PrivateStack

#: Set in processes that a benchmark starts: they use its servers.
INHERITED = "BENCHMARK_SERVERS"

if INHERITED not in os.environ:
    #: With fsync, as in production: without it a commit costs next to nothing.
    SERVERS = PrivateStack(durable=True)
    os.environ |= {
        INHERITED: str(SERVERS.folder),
        "DATABASE_URL": SERVERS.database_url,
        "BROKER_URL": SERVERS.broker_url,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "LOG_LEVEL": "WARNING",
    }
    django.setup()
