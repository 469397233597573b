"""A post as the site will show it, for those who write it."""

from django.http import HttpResponse
from django.utils import timezone

from publishing.models import Post, Publication
from publishing.site.answers import unlisted
from publishing.site.entry import Entry


def preview(post: Post) -> HttpResponse:
    """The page of a post, saved or not; without its neighbours, since nobody knows them yet."""
    at = post.published_at or post.scheduled_at or timezone.now()
    entry = Entry(Publication(post=post, due_at=at, published_at=at))
    return unlisted("post", {"entry": entry, "language": entry.language or "en"})
