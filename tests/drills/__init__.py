"""Drills: a whole installation of ours beside a real tool, for as long as one likes: `python -m tests.drills.<name>`.

The suite runs a short form of each.
"""

import os

import django
from django.conf import settings

if not settings.configured:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    # Nobody listens there: each drill starts servers of its own.
    os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    os.environ.setdefault("BROKER_URL", "redis://127.0.0.1:1")
    django.setup()
