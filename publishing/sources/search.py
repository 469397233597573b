"""Search feeds: the news about some words, as a feed that a search engine makes of them."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator

from publishing.sources.base import Options
from publishing.sources.feed import FeedSource
from publishing.sources.registry import register

GOOGLE_NEWS = (
    "https://news.google.com/rss/search?q={query}&hl={language}-{region}&gl={region}&ceid={region}:{language}"
)
_PLACES = {"query", "language", "region"}
_PLACE = re.compile(r"\{([^{}]*)\}")


class SearchOptions(Options):
    query: str = Field(max_length=300, description="The words to search for, as you would type them.")
    language: str = Field(
        default="en", pattern=r"^[A-Za-z]{2,3}$", description="Two or three letters, such as en."
    )
    region: str = Field(
        default="US", pattern=r"^[A-Za-z]{2}$", description="The country, in two letters, such as US."
    )
    template: str = Field(
        default=GOOGLE_NEWS,
        max_length=1_000,
        description="The address of a feed that takes a query: {query}, {language} and {region} are filled in. "
        "Bing: https://www.bing.com/news/search?q={query}&format=rss. Your own SearXNG: https://…/search?q={query}&format=rss.",
    )

    @field_validator("query")
    @classmethod
    def _has_words(cls, query: str) -> str:
        query = " ".join(query.split())
        if not any(character.isalnum() for character in query) or not query.isprintable():
            raise ValueError("Enter some words to search for.")
        return query

    @field_validator("template")
    @classmethod
    def _takes_a_query(cls, template: str) -> str:
        unknown = sorted(set(_PLACE.findall(template)) - _PLACES)
        if unknown or re.search(r"[{}]", _PLACE.sub("", template)):
            raise ValueError("Only {query}, {language} and {region} can be filled in.")
        try:
            parts = urlsplit(template)
        except ValueError as error:
            raise ValueError("This is not an address that can be read.") from error
        if parts.scheme not in {"http", "https"} or not parts.netloc or "{" in parts.netloc:
            raise ValueError("Enter an address that begins with http:// or https:// and a fixed host.")
        if "{query}" not in parts.path + parts.query:
            raise ValueError("Say with {query} where the words go.")
        return template


@register
class SearchSource(FeedSource):
    """A search that is repeated: new results are items. Read like any other feed."""

    kind, label = "search", "Search feed"
    options = SearchOptions
    has_address = False

    def address(self, url: str, options: Mapping[str, Any]) -> str:
        """The template with the query filled in, percent-encoded."""
        given = SearchOptions.model_validate(dict(options))
        places = {
            "query": given.query,
            "language": given.language.lower(),
            "region": given.region.upper(),
        }
        return _PLACE.sub(lambda place: quote(places[place[1]], safe=""), given.template)
