"""The peer's Django project: nothing but what django-celery-beat and django-celery-results need."""

from config.settings.dev import BROKER_URL, DATABASES, SECRET_KEY

__all__ = ["BROKER_URL", "DATABASES", "SECRET_KEY"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django_celery_beat",
    "django_celery_results",
]
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
