"""Production: refuses to start with a weak configuration."""

from django.core.exceptions import ImproperlyConfigured

from config import env
from config.settings.base import *  # noqa: F403 - an overlay is its base with a few names replaced

if env.flag("DEBUG"):
    raise ImproperlyConfigured(
        "DEBUG shows the code and the settings to every visitor: unset it in production."
    )
SECRET_KEY = env.secret("SECRET_KEY")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS")
if not ALLOWED_HOSTS:
    raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts of this site, separated by commas.")
if "*" in ALLOWED_HOSTS:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS must name the hosts of this site; '*' lets everyone choose one."
    )
SITE_URL = env.text("SITE_URL").rstrip("/") or f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
env.required("DATABASE_URL")
env.required("BROKER_URL")

# The proxy leads this path to the live process.
LIVE_URL = env.text("LIVE_URL", "/api/v1/events/")

SECURE_SSL_REDIRECT = env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]  # asked inside of the installation, without TLS
SECURE_HSTS_SECONDS = env.integer("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
