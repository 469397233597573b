"""Settings of the test suite: real servers, quick password hashing."""

from config import env
from config.settings.dev import *  # noqa: F403 - an overlay is its base with a few names replaced
from config.settings.dev import BROKER_URL as SESSION_BROKER_URL

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Parallel workers share one broker: worker gw0 has database number 1, gw1 has 2, a session without workers 0.
_WORKER = env.text("PYTEST_XDIST_WORKER")
BROKER_URL = env.numbered_broker(SESSION_BROKER_URL, int(_WORKER.removeprefix("gw")) + 1 if _WORKER else 0)
CELERY_BROKER_URL = BROKER_URL
INSTALLED_APPS = [*INSTALLED_APPS, "tests.jobs_for_tests"]  # noqa: F405 - from the base

# Tests ask quickly; the tests of the limits set their own.
API_ANONYMOUS_RATE = API_USER_RATE = API_KEY_RATE = 0

# Every client of a test loads the middleware: do not look through all static files each time.
WHITENOISE_AUTOREFRESH = True

# No thread writes behind the tests' backs; those of the metrics hand over by themselves.
METRICS_FLUSH_SECONDS = env.integer("METRICS_FLUSH_SECONDS", 0)

# Tests count runs; those of the canaries send their own.
JOBS_CANARY_SECONDS = 0
