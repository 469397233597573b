"""RSS, Atom and JSON Feed by conditional GET."""

import hashlib

from publishing.errors import SourceUnreadable
from publishing.feeds import FeedError, parse
from publishing.sources.asking import ask, quiet_period, unchanged, validators
from publishing.sources.base import Fetched, FetchRequest, SourceAdapter
from publishing.sources.registry import register

ACCEPT = (
    "application/feed+json, application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.5"
)


@register
class FeedSource(SourceAdapter):
    """A feed at a fixed address."""

    kind, label = "feed", "Feed (RSS, Atom, JSON Feed)"

    def fetch(self, request: FetchRequest) -> Fetched:
        """One conditional GET; both validators are sent, unless a full reading is forced."""
        response = ask(request, accept=ACCEPT)
        if response.status == 304:
            return unchanged(request, response)
        body_hash = hashlib.sha256(response.body).hexdigest()
        if body_hash == request.body_hash and not request.force:
            return unchanged(request, response)
        try:
            feed = parse(
                response.body, content_type=response.headers.get("content-type", ""), base_url=response.url
            )
        except FeedError as error:
            raise SourceUnreadable(str(error), status=response.status) from error
        etag, last_modified = validators(response)
        return Fetched(
            is_changed=True,
            items=feed.items,
            status=response.status,
            title=feed.title,
            language=feed.language,
            etag=etag,
            last_modified=last_modified,
            body_hash=body_hash,
            permanent_url=response.permanent_url,
            quiet_for=quiet_period(response, feed.ttl_minutes),
            notes=(f"Only the first {len(feed.items)} entries were read.",) if feed.is_cut else (),
        )
