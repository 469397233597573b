"""Texts that people put in by hand."""

from publishing.errors import SourceRejected
from publishing.sources.base import Fetched, FetchRequest, SourceAdapter
from publishing.sources.registry import register


@register
class ManualSource(SourceAdapter):
    """Pasted texts: a source without an address, whose items people add. Never polled."""

    kind, label = "manual", "Texts added by hand"
    has_address = False
    is_polled = False

    def fetch(self, request: FetchRequest) -> Fetched:
        raise SourceRejected("There is nothing to poll: the items of this source are added by hand.")

    def why_not(self, url: str) -> str:
        return "A source of this kind has no address." if url else ""
