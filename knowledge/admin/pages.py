"""The pages that belong to no table, with their addresses below the admin's."""

from typing import Any

from django.urls import URLPattern

from knowledge.admin import document_page, paper_page, search_page


def urls(site: Any) -> list[URLPattern]:
    return [*search_page.urls(site), *paper_page.urls(site), *document_page.urls(site)]
