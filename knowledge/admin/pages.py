"""The pages that belong to no table, with their addresses below the admin's."""

from typing import Any

from django.urls import URLPattern

from knowledge.admin import document_page, paper_page, search_page, statistics_page


def urls(site: Any) -> list[URLPattern]:
    pages = (search_page, paper_page, document_page, statistics_page)
    return [address for page in pages for address in page.urls(site)]
