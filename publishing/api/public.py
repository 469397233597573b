"""`public/`: what is on the built-in site, for anybody, without signing in. Answers can be kept by caches."""

import hashlib
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from jobs.api.answers import ErrorSerializer
from jobs.api.parsing import read_query
from publishing.site import catalogue
from publishing.site.answers import PAGE_AGE
from publishing.site.catalogue import NothingThere
from publishing.site.entry import Entry

_LARGEST_ID = 2**63 - 1
_SLUG = OpenApiParameter("slug", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH)
_NOT_THERE = OpenApiResponse(ErrorSerializer, description="There is no such thing on the site.")


class PublicPostSerializer(serializers.Serializer[Entry]):
    slug = serializers.CharField(source="post.slug")
    url = serializers.CharField(help_text="Its page on the site.")
    title = serializers.CharField()
    excerpt = serializers.CharField()
    author = serializers.CharField(source="author.name")
    language = serializers.CharField()
    tags = serializers.SerializerMethodField()
    image_url = serializers.CharField(help_text="Its first image; empty: none.")
    word_count = serializers.IntegerField()
    minutes = serializers.IntegerField(help_text="How long reading it takes.")
    published_at = serializers.DateTimeField()
    modified_at = serializers.DateTimeField()

    def get_tags(self, entry: Entry) -> list[str]:
        return [tag.name for tag in entry.tags]


class PublicPostDetailSerializer(PublicPostSerializer):
    canonical_url = serializers.CharField(help_text="Where it was first.")
    meta_title = serializers.CharField(source="head_title")
    meta_description = serializers.CharField(source="description")
    html = serializers.CharField(help_text="Its text; every address in it is absolute.", source="feed_html")


class PublicPageSerializer(serializers.Serializer[Any]):
    next = serializers.URLField(allow_null=True, help_text="Older posts.")
    previous = serializers.URLField(allow_null=True, help_text="Newer posts.")
    results = PublicPostSerializer(many=True)


class PublicTagSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    posts = serializers.IntegerField(help_text=f"Of the newest {catalogue.RECENT} posts.")


class PublicQuerySerializer(serializers.Serializer[Any]):
    tag = serializers.CharField(max_length=100, required=False, help_text="Only posts with exactly this tag.")
    page_size = serializers.IntegerField(min_value=1, max_value=50, default=catalogue.PER_PAGE)
    before = serializers.IntegerField(
        min_value=1, max_value=_LARGEST_ID, required=False, help_text="As `next` has it."
    )
    after = serializers.IntegerField(
        min_value=1, max_value=_LARGEST_ID, required=False, help_text="As `previous` has it."
    )


class PublicView(APIView):
    """For everybody alike: who asks is not looked at, so that every answer may be kept and given to the next."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    def handle_exception(self, exc: Exception) -> Any:
        return super().handle_exception(Http404() if isinstance(exc, NothingThere) else exc)


class PublicPostsView(PublicView):
    @extend_schema(
        operation_id="public_posts_list",
        auth=[],
        parameters=[PublicQuerySerializer],
        responses={200: PublicPageSerializer, 404: _NOT_THERE},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """What is on the built-in site, the newest first. Public."""
        query = read_query(PublicQuerySerializer, request)
        shown = catalogue.tagged(query["tag"]) if "tag" in query else catalogue.shown()
        place = {str(name): str(query[name]) for name in ("before", "after") if name in query}
        page = catalogue.page(shown, place, query["page_size"])
        if page is None:  # nothing is between there and the beginning but the beginning
            page = catalogue.beginning(shown, query["page_size"])
        address = reverse("api:public-post-list", request=request)
        kept = request.query_params.copy()
        answer = {
            "next": _neighbour(address, kept, page.older),
            "previous": _neighbour(address, kept, page.newer),
            "results": page.entries,
        }
        return answered(request, PublicPageSerializer(answer).data)


class PublicPostView(PublicView):
    @extend_schema(
        operation_id="public_posts_retrieve",
        auth=[],
        parameters=[_SLUG],
        responses={200: PublicPostDetailSerializer, 404: _NOT_THERE},
    )
    def get(self, request: Request, slug: str) -> HttpResponseBase:
        """One post that is on the built-in site, with its text. Public."""
        entry = catalogue.entry(slug)
        return answered(request, PublicPostDetailSerializer(entry).data, modified_at=entry.modified_at)


class PublicTagsView(PublicView):
    @extend_schema(operation_id="public_tags_list", auth=[], responses=PublicTagSerializer(many=True))
    def get(self, request: Request) -> HttpResponseBase:
        """The tags of the newest posts on the built-in site, the most common first. Public."""
        counted = [{"name": tag.name, "posts": count} for tag, count in catalogue.topics()]
        return answered(request, PublicTagSerializer(counted, many=True).data)


def answered(request: Request, data: Any, *, modified_at: datetime | None = None) -> HttpResponseBase:
    """JSON that may be kept for a minute, and 304 for whoever has it already."""
    response = HttpResponse(JSONRenderer().render(data), content_type="application/json")
    response["Cache-Control"] = f"public, max-age={PAGE_AGE}"
    response["ETag"] = etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    last_modified = int(modified_at.timestamp()) if modified_at else None
    if last_modified is not None:
        response["Last-Modified"] = http_date(last_modified)
    return get_conditional_response(request._request, etag, last_modified, response) or response


def _neighbour(address: str, query: Any, place: str) -> str | None:
    """The address of the page before or behind this one, with what else was asked for."""
    if not place:
        return None
    name, _, value = place.removeprefix("?").partition("=")
    for other in ("before", "after"):
        query.pop(other, None)
    query[name] = value
    return f"{address}?{query.urlencode()}"
