"""A ceiling for the rate of requests. Counted in this process: it protects the process, and costs microseconds."""

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

if TYPE_CHECKING:
    from rest_framework.views import APIView  # it imports this module for its defaults

_WINDOW_SECONDS = 60


class RequestRate(BaseThrottle):
    """So many requests in each whole minute, by API key, by user or, without authentication, by address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        who, rate = self._counted(request)
        if not rate:
            return True
        key = f"api-rate:{who}:{int(time.time() // _WINDOW_SECONDS)}"
        cache.add(key, 0, timeout=_WINDOW_SECONDS)
        try:
            return cache.incr(key) <= int(rate)
        except ValueError:  # it was evicted in between
            return True

    def _counted(self, request: Request) -> tuple[str, int]:
        """Under which name the request counts, and how many of that name may come in a window."""
        key: str | None = getattr(
            request.auth, "throttle_name", None
        )  # what authenticates may have a rate of its own
        if key is not None:
            return key, settings.API_KEY_RATE
        if request.user.is_authenticated:
            return f"user:{request.user.pk}", settings.API_USER_RATE
        return f"address:{self.get_ident(request)}", settings.API_ANONYMOUS_RATE

    def wait(self) -> float:
        return _WINDOW_SECONDS - time.time() % _WINDOW_SECONDS
