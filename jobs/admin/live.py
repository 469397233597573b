"""What a page needs to follow live events."""

from dataclasses import dataclass

from django.http import HttpRequest

from jobs.live import log
from jobs.live.address import stream_url
from jobs.live.log import Cursor


@dataclass(frozen=True)
class Stream:
    """Where events come from, and after which moment the page needs them; template admin/jobs/_live.html."""

    url: str
    after: Cursor


def stream_for(request: HttpRequest) -> Stream | None:
    """The stream for a page; None without a live process, when pages ask again and again.

    Called before whatever the page shows is read: then no change falls between the two.
    """
    url = stream_url(request)
    return Stream(url, log.now()) if url else None
