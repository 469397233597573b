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
    """So many requests in each whole minute, by user or, without authentication, by address."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        is_known = request.user.is_authenticated
        rate = settings.API_USER_RATE if is_known else settings.API_ANONYMOUS_RATE
        if not rate:
            return True
        who = f"user:{request.user.pk}" if is_known else f"address:{self.get_ident(request)}"
        key = f"api-rate:{who}:{int(time.time() // _WINDOW_SECONDS)}"
        cache.add(key, 0, timeout=_WINDOW_SECONDS)
        try:
            return cache.incr(key) <= int(rate)
        except ValueError:  # it was evicted in between
            return True

    def wait(self) -> float:
        return _WINDOW_SECONDS - time.time() % _WINDOW_SECONDS
