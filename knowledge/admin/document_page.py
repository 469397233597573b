"""Uploaded documents as they are read: some pages at a time, with the passages that answers lead to."""

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from jobs.admin.base import require
from jobs.storable import clean_text
from knowledge import places
from knowledge.admin import reading, rows
from knowledge.models import Document, Part

VIEW = "knowledge.view_document"
URL_NAME = "knowledge-document"


def view(request: HttpRequest, pk: int) -> HttpResponse:
    """One part, the one that the address names (`?part=3`, counted from 1)."""
    require(request, VIEW)
    document = get_object_or_404(Document.objects.defer("text"), pk=pk)
    query = clean_text(request.GET.get("q", "")[:200]).strip()
    parts = Paginator(document.parts.order_by("number"), 1)
    shown = parts.get_page(request.GET.get("part"))
    part = next(iter(shown.object_list), None)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Document",
        "document": document,
        "query": query,
        "blocks": _blocks(part, query) if part else [],
        "shown": shown,
        "page": rows.page_of(request, document),
    }
    return TemplateResponse(request, "admin/knowledge/document.html", context)


def _blocks(part: Part, query: str) -> list[reading.Block]:
    found = places.places(part.passages.select_related("part__paper"))
    return reading.with_pages(reading.blocks(part, (), query), found)


def urls(site: Any) -> list[URLPattern]:
    return [path("knowledge/document/<int:pk>/read/", site.admin_view(view), name=URL_NAME)]
