"""Reading feeds: bytes in, frozen dataclasses out, with nothing dangerous left in them.

`parse(body)` understands RSS, RDF, Atom and JSON Feed. Everything here is pure: no network, no database.
"""

from publishing.feeds.document import Enclosure, ParsedFeed, ParsedItem
from publishing.feeds.errors import FeedError, FeedTooComplex, NotAFeed
from publishing.feeds.parse import parse

__all__ = ["Enclosure", "FeedError", "FeedTooComplex", "NotAFeed", "ParsedFeed", "ParsedItem", "parse"]
