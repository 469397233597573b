"""The time zone of whoever looks: the one they chose or their browser's, which a cookie keeps; else the installation's."""

import zoneinfo
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from jobs.timing import InvalidTiming, zone_of

#: Also set by static/publishing/calendar.js.
COOKIE = "time_zone"
_YEAR = 365 * 24 * 3600

Answer = TypeVar("Answer", bound=HttpResponseBase)


def viewer_zone(request: HttpRequest) -> ZoneInfo:
    """The zone that times are shown and typed in; what is stored is UTC."""
    return chosen_zone(request) or ZoneInfo(timezone.get_current_timezone_name())


def chosen_zone(request: HttpRequest) -> ZoneInfo | None:
    """The zone that the address or the cookie asks for; None for none, and for one that there is not."""
    for name in (request.GET.get("zone"), request.COOKIES.get(COOKIE)):
        if name:
            try:
                return zone_of(name)
            except InvalidTiming:
                continue
    return None


def remember(request: HttpRequest, answer: Answer) -> Answer:
    """Keep the zone that the address asked for."""
    zone = chosen_zone(request) if "zone" in request.GET else None
    if zone is not None:
        answer.set_cookie(COOKIE, zone.key, max_age=_YEAR, path="/admin/", samesite="Lax")
    return answer


@lru_cache(maxsize=1)
def names() -> list[str]:
    return sorted(zoneinfo.available_timezones())
