"""`/metrics`: for Prometheus, and whoever may see the system."""

import hmac
from collections.abc import Iterable

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from jobs.metrics import scrape

_PERMISSION = "jobs.view_system"


class Prometheus:
    """Who asks with the scrape token: nobody's account, allowed this and nothing else."""

    pk = None
    is_authenticated = True
    is_active = True

    def has_perm(self, permission: str) -> bool:
        return permission == _PERMISSION


class ScrapeToken(BaseAuthentication):
    """`Authorization: Bearer <METRICS_TOKEN>`: asks nobody, so that it works while the database is down."""

    def authenticate(self, request: Request) -> tuple[Prometheus, str] | None:
        wanted = settings.METRICS_TOKEN.encode()
        given = get_authorization_header(request)
        if wanted and hmac.compare_digest(given, b"Bearer " + wanted):
            return Prometheus(), "scrape token"
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="metrics"'


class AsTheClientOfPrometheusChooses(BaseContentNegotiation):
    """The header Accept is read by prometheus-client, which knows the formats."""

    def select_parser(self, request: Request, parsers: object) -> None:
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


class MetricsView(APIView):
    authentication_classes = (ScrapeToken, *APIView.authentication_classes)
    content_negotiation_class = AsTheClientOfPrometheusChooses
    throttle_classes = ()
    permission_of = {"get": _PERMISSION}

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        """Every metric. Servers that do not answer are told as down; the answer is 200 all the same."""
        text, content_type = scrape.exposition(request.headers.get("Accept", ""))
        return HttpResponse(text, content_type=content_type)
