"""Settings of the test suite: real servers, quick password hashing."""

from config.settings.dev import *  # noqa: F403 - an overlay is its base with a few names replaced

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
