"""Putting the sample feeds among the sources."""

import re
from dataclasses import dataclass

from publishing.models import Source
from publishing.sample.world import feeds

_LOOPBACK = r"^https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"


@dataclass(frozen=True)
class Loaded:
    """What loading did."""

    created: int
    moved: int


def load_sample_world(base_url: str) -> Loaded:
    """Create a source for each sample feed, or move the one that is there to this address; nothing when all is so."""
    base, created, moved = base_url.rstrip("/"), 0, 0
    for feed in feeds().values():
        url = f"{base}{feed.path}"
        if Source.objects.filter(kind="feed", url=url).exists():
            continue
        moved_here = Source.objects.filter(
            kind="feed", url__regex=_LOOPBACK + re.escape(feed.path) + "$"
        ).first()
        if moved_here is not None:
            moved_here.url = url
            moved_here.save(update_fields=["url"])
            moved += 1
        else:
            Source.objects.create(name=feed.title, url=url, language=feed.language, backfill_limit=3)
            created += 1
    return Loaded(created, moved)
