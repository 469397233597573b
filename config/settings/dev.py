"""Development and the embedded stack: everything works from a fresh checkout."""

from config import env, secret_key
from config.settings.base import *  # noqa: F403 - an overlay is its base with a few names replaced
from config.settings.base import BASE_DIR

SECRET_KEY = env.text("SECRET_KEY") or secret_key.of_checkout(BASE_DIR)
SECRETS_KEYS = env.words("SECRETS_KEYS") or [secret_key.for_secrets_of_checkout(BASE_DIR)]
SITE_URL = env.text("SITE_URL", "http://127.0.0.1:8000").rstrip("/")
DEBUG = env.flag("DEBUG")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver")

# Static files come straight from the applications: nothing to collect after a change.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
