"""The pages of the site."""

from collections.abc import Callable
from datetime import datetime
from itertools import groupby

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
)
from django.http.response import HttpResponseBase
from django.urls import resolve, reverse
from django.utils import timezone
from django.utils.encoding import escape_uri_path
from django.views.decorators.http import require_safe

from publishing.site import addresses, catalogue, feeds, sitemap
from publishing.site.answers import FEED_AGE, document, page, public
from publishing.site.catalogue import NothingThere, Publications
from publishing.site.feeds import Feed

#: Posts in a feed.
FEED_LENGTH = 20
_FEEDS: dict[str, tuple[Callable[[Feed], str], str]] = {
    "atom": (feeds.atom, "application/atom+xml; charset=utf-8"),
    "rss": (feeds.rss, "application/rss+xml; charset=utf-8"),
    "json": (feeds.json_feed, "application/feed+json; charset=utf-8"),
}
_XML = "application/xml; charset=utf-8"
_YEARS = range(1970, 9999)


@public
def front(request: HttpRequest) -> HttpResponseBase:
    return _list(request, "front", catalogue.shown(), may_be_empty=True)


@public
def post(request: HttpRequest, slug: str) -> HttpResponseBase:
    entry = catalogue.entry(slug)
    newer, older = catalogue.neighbours(entry)
    context = {"entry": entry, "newer": newer, "older": older, "language": entry.language or "en"}
    modified_at = max(entry.modified_at, newer.published_at) if newer else entry.modified_at
    return page(request, "post", context, modified_at=modified_at)


@public
def tag(request: HttpRequest, tag: str) -> HttpResponseBase:
    feed_paths = {kind: addresses.feed_path(kind, tag) for kind in _FEEDS}
    return _list(request, "tag", catalogue.tagged(tag), tag=tag, feed_paths=feed_paths)


@public
def month(request: HttpRequest, year: int, month: int) -> HttpResponseBase:
    if year not in _YEARS or not 1 <= month <= 12:
        raise NothingThere
    first = timezone.make_aware(datetime(year, month, 1))
    return _list(request, "month", catalogue.in_month(first), month=first)


@public
def archive(request: HttpRequest) -> HttpResponseBase:
    by_year = groupby(catalogue.months(), key=lambda month: month.year)
    return page(request, "archive", {"years": [(year, list(months)) for year, months in by_year]})


@public
def topics(request: HttpRequest) -> HttpResponseBase:
    return page(request, "topics", {"topics": catalogue.topics()})


@public
def feed(request: HttpRequest, kind: str, tag: str = "") -> HttpResponseBase:
    """A feed of everything, or of a tag; one of a tag that no post has is not there."""
    publications = catalogue.tagged(tag) if tag else catalogue.shown()
    entries = catalogue.newest(publications, FEED_LENGTH)
    if tag and not entries:
        raise NothingThere
    write, content_type = _FEEDS[kind]
    home_path = addresses.tag_path(tag) if tag else addresses.front_path()
    made = Feed(entries=entries, home_path=home_path, path=addresses.feed_path(kind, tag), tag=tag)
    return document(request, write(made), content_type, modified_at=made.updated_at, max_age=FEED_AGE)


@public
def sitemap_index(request: HttpRequest) -> HttpResponseBase:
    return document(request, sitemap.index(), _XML, max_age=FEED_AGE)


@public
def sitemap_of_pages(request: HttpRequest) -> HttpResponseBase:
    return document(request, sitemap.of_pages(), _XML, max_age=FEED_AGE)


@public
def sitemap_of_posts(request: HttpRequest, part: int) -> HttpResponseBase:
    if part > 10**12 or (text := sitemap.of_posts(part)) is None:
        raise NothingThere
    return document(request, text, _XML, max_age=FEED_AGE)


@public
def unknown(request: HttpRequest, rest: str) -> HttpResponseBase:
    """Every other address: to the one with a slash at its end if there is one, else there is nothing."""
    if not rest.endswith("/") and resolve(f"{request.path_info}/").url_name != "unknown":
        return HttpResponsePermanentRedirect(f"{escape_uri_path(request.path)}/")
    raise Http404


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """What search engines may read: the site, and nothing else of this installation."""
    site = addresses.front_path()
    lines = [
        "User-agent: *",
        f"Allow: {site}",
        "Allow: /static/",
        "Disallow: /",
        "",
        f"Sitemap: {addresses.absolute(reverse('site:sitemap'))}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def _list(
    request: HttpRequest,
    name: str,
    publications: Publications,
    *,
    may_be_empty: bool = False,
    **context: object,
) -> HttpResponseBase:
    found = catalogue.page(publications, request.GET)
    if found is None:
        return HttpResponseRedirect(escape_uri_path(request.path))
    if not (found.entries or may_be_empty):
        raise NothingThere
    names = [name for name in ("before", "after") if name in request.GET]
    cursor = f"?{names[0]}={request.GET[names[0]]}" if names else ""
    canonical = addresses.absolute(f"{escape_uri_path(request.path)}{cursor}")
    return page(request, name, context | {"page": found, "canonical": canonical, "is_first": not cursor})
