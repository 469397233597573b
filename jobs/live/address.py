"""Where the live process is, seen from a browser, and which pages may read from it."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

PATH = "/api/v1/events/"


def stream_url(request: HttpRequest) -> str:
    """The address of the event streams for whoever made the request; empty without a live process.

    `LIVE_URL` is that address, or a path below the site's own origin where a proxy leads to the live process.
    `LIVE_PORT` stands for the host name that the browser uses for the site itself: cookies belong to names.
    """
    if settings.LIVE_URL:
        return str(settings.LIVE_URL)
    if settings.LIVE_PORT:
        return f"{request.scheme}://{_name(request.get_host())}:{settings.LIVE_PORT}{PATH}"
    return ""


def stream_origin(request: HttpRequest) -> str:
    """The origin that pages must be allowed to connect to; empty when it is their own."""
    url = urlsplit(stream_url(request))
    return f"{url.scheme}://{url.netloc}" if url.netloc else ""


def is_allowed_origin(origin: str, request: HttpRequest) -> bool:
    """Whether scripts of a page of that origin may read streams with the cookies of whoever looks at it."""
    if origin in settings.LIVE_ORIGINS:
        return True
    return bool(settings.PORT) and origin == f"{request.scheme}://{_name(request.get_host())}:{settings.PORT}"


def _name(host: str) -> str:
    """The host without its port; the brackets of an IPv6 address stay."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
