"""The product's settings, plus an app with the jobs that benchmarks run."""

from config.settings.dev import *  # noqa: F403 - an overlay is its base with a few names replaced

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks"]  # noqa: F405 - from the base
ROOT_URLCONF = "benchmarks.urls"
# Benchmarks count runs.
JOBS_CANARY_SECONDS = 0
