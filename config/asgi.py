"""The live process: long-lived event streams only."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
django.setup()

from jobs.api.stream import LiveApplication  # noqa: E402 - models can be imported only now

application = LiveApplication()
