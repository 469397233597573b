"""The sample world's pages: feeds with working validators, and a page for each entry."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import feedgenerator, timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import condition, require_safe

from publishing.sample.world import SampleFeed, feeds

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]

_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}


def only_in_sample_world(view: View[P]) -> View[P]:
    """404 while the sample world is off, as if there were nothing."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not settings.SAMPLE_WORLD_URL:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


def _found(name: str) -> SampleFeed:
    try:
        return feeds()[name]
    except KeyError:
        raise Http404("There is no such sample feed.") from None


def _etag(request: HttpRequest, name: str) -> str:
    return f'"{name}-{_found(name).latest_number(timezone.now())}"'


def _last_modified(request: HttpRequest, name: str) -> datetime:
    feed = _found(name)
    return feed.entry(feed.latest_number(timezone.now())).published_at


@require_safe
@only_in_sample_world
@condition(etag_func=_etag, last_modified_func=_last_modified)
def show_feed(request: HttpRequest, name: str) -> HttpResponse:
    """A sample feed; answers 304 to those who have its newest entry."""
    feed = _found(name)
    base = settings.SAMPLE_WORLD_URL.rstrip("/")
    text = _as_json(feed, base) if feed.format == "json" else _as_xml(feed, base)
    return HttpResponse(text, content_type=_TYPES[feed.format], headers={"Cache-Control": "max-age=300"})


@require_safe
@only_in_sample_world
def show_entry(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """The page that an entry links to."""
    feed = _found(name)
    if number > feed.latest_number(timezone.now()):
        raise Http404("This has not been published yet.")
    entry = feed.entry(number)
    context = {"feed": feed, "entry": entry, "text": mark_safe(entry.html)}  # noqa: S308 - our own text
    return render(request, "publishing/sample/entry.html", context)


def _as_xml(feed: SampleFeed, base: str) -> str:
    kind = feedgenerator.Atom1Feed if feed.format == "atom" else feedgenerator.Rss201rev2Feed
    document = kind(
        title=feed.title,
        link=f"{base}/sample/",
        description=feed.description,
        language=feed.language,
        author_name=feed.author,
        feed_url=f"{base}{feed.path}",
        subtitle=feed.description,
    )
    for entry in feed.entries(timezone.now()):
        document.add_item(
            title=entry.title,
            link=f"{base}{entry.path(feed)}",
            description=entry.html,
            author_name=feed.author,
            pubdate=entry.published_at,
            updateddate=entry.published_at,
            unique_id=f"tag:sample.almanac,2026:{feed.name}/{entry.number}",
            unique_id_is_permalink=False,
            categories=entry.categories,
        )
    return document.writeString("utf-8")


def _as_json(feed: SampleFeed, base: str) -> str:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "description": feed.description,
        "home_page_url": f"{base}/sample/",
        "feed_url": f"{base}{feed.path}",
        "language": feed.language,
        "authors": [{"name": feed.author}],
        "items": [
            {
                "id": f"tag:sample.almanac,2026:{feed.name}/{entry.number}",
                "url": f"{base}{entry.path(feed)}",
                "title": entry.title,
                "content_html": entry.html,
                "date_published": entry.published_at.isoformat(),
                "tags": entry.categories,
            }
            for entry in feed.entries(timezone.now())
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1)
