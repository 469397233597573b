"""Every page and endpoint."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from jobs.admin import dashboard
from jobs.api.metrics import MetricsView
from knowledge.admin import pages as knowledge_pages
from publishing.admin import usage
from publishing.site.views import robots


@require_safe
def alive(request: HttpRequest) -> HttpResponse:
    """This process answers. Asks nobody else, so that a restart of a server is no reason to restart this."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", include(dashboard.urls(admin.site))),
    path("admin/", include(usage.urls(admin.site))),
    path("admin/", include(knowledge_pages.urls(admin.site))),
    path("admin/", admin.site.urls),
    path("api/v1/", include(("config.api", "api"))),
    path("healthz", alive, name="alive"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("sample/knowledge/", include("knowledge.sample.urls")),
    path("sample/", include("publishing.sample.urls")),
    path("blog/", include("publishing.site.urls")),
    path("robots.txt", robots, name="robots"),
]

handler400 = "config.api.bad_request"
handler404 = "config.api.not_found"
handler500 = "config.api.server_error"
