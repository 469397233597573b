"""Knowledge's part of `/api/v1/`."""

from django.urls import URLPattern, URLResolver

_medical: list[URLPattern | URLResolver] = []

urlpatterns: list[URLPattern | URLResolver] = [
    *_medical,
]
