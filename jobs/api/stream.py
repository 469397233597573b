"""The ASGI application of the live process: one long answer of server-sent events for each client.

Not a Django view: whoever writes the answer must be able to end it from outside (the client is too slow or gone), and to
write signs of life while nothing happens. Who may ask and for what, `EventsView` says, for the rules to be those of
every other endpoint.
"""

import asyncio
import io
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.tokens import Token

from jobs.api.events import EventsView, admission
from jobs.live.address import PATH, is_allowed_origin
from jobs.live.feed import Feed, Subscription
from jobs.live.log import Cursor
from jobs.live.wishes import Wish

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

#: Seconds between two signs of life on a stream without news, and between two looks whether its reader may still see it.
SIGN_OF_LIFE = 15.0
CHECK_AGAIN = 60.0
_DOORMEN = 4
_ENDED = b'event: end\ndata: {"reason":"You may no longer see this, or have to sign in again."}\n\n'


@dataclass(frozen=True)
class Admitted:
    """Somebody who may listen: to what, after which event, and until when."""

    wish: Wish
    after: Cursor | None
    expires_at: datetime | None


@dataclass(frozen=True)
class Plain:
    """A short answer."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None


class Admission(EventsView):
    """The same rules in the live process; what it gives is for `LiveApplication` only."""

    schema = None

    def get(self, request: Request) -> HttpResponse:
        wish, after = admission(request)
        return Response(Admitted(wish, after, _expiry(request)))


class LiveApplication:
    """Serves the event streams, and `/healthz`."""

    def __init__(self) -> None:
        self._feed = Feed()
        self._doormen = ThreadPoolExecutor(_DOORMEN, thread_name_prefix="doorman")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "lifespan":
                await self._live(receive, send)
            case "http":
                await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._feed.close()
        self._doormen.shutdown()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            return await _send_plain(Plain(200, b"ok", "text/plain"), {}, send)
        if len(self._feed) >= settings.LIVE_CLIENTS:
            return await _send_plain(_busy(), {}, send)
        answer, headers = await self._ask_doorman(scope)
        if isinstance(answer, Plain):
            return await _send_plain(answer, headers, send)
        await self._stream(scope, answer, headers, receive, send)

    async def _ask_doorman(self, scope: Scope) -> tuple[Admitted | Plain, dict[str, str]]:
        return await asyncio.get_running_loop().run_in_executor(self._doormen, _admit, scope)

    async def _stream(
        self, scope: Scope, admitted: Admitted, headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        """Write until the reader is gone, too slow (both cancel this task), or no longer allowed to read."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - servers run applications in tasks
        gone = asyncio.create_task(_until_gone(receive))
        gone.add_done_callback(lambda ended: None if ended.cancelled() else task.cancel())
        subscription = Subscription(admitted.wish, drop=task.cancel)
        self._feed.join(subscription, admitted.after)
        # No proxy may hold events back to make larger packets of them.
        head = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        try:
            await send(_start(200, head | headers))
            await self._write(scope, admitted, subscription, send)
        finally:
            self._feed.leave(subscription)
            gone.cancel()

    async def _write(self, scope: Scope, admitted: Admitted, subscription: Subscription, send: Send) -> None:
        clock = asyncio.get_running_loop().time
        check_at = clock() + CHECK_AGAIN
        while (pause := _pause(admitted)) > 0:
            chunk = await subscription.get(pause) or subscription.sign_of_life()
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if clock() >= check_at:
                check_at = clock() + CHECK_AGAIN
                again, _ = await self._ask_doorman(scope)
                if not _is_still_allowed(admitted, again):
                    break
        await send({"type": "http.response.body", "body": _ENDED, "more_body": False})


def _admit(scope: Scope) -> tuple[Admitted | Plain, dict[str, str]]:
    """Who asks for what, and whether they may; with the headers that let a page of ours read the answer."""
    request = ASGIRequest(scope, io.BytesIO())
    try:
        headers = _cross_origin(request)
    except DisallowedHost:
        return _problem(400, "bad_request", "The request cannot be read."), {}
    if request.path != PATH:
        return _problem(404, "not_found", "There is no such address."), headers
    if request.method == "OPTIONS":
        return Plain(204), headers
    try:
        SessionMiddleware(_no_view).process_request(request)
        AuthenticationMiddleware(_no_view).process_request(request)
        response = Admission.as_view()(request)
    except Exception:  # what no view expected: the other streams must go on
        logger.exception("A request for events failed.")
        return _problem(500, "error", "Something broke here. It has been logged."), headers
    finally:
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
    if isinstance(response.data, Admitted):
        return response.data, headers
    body = json.dumps(response.data).encode()
    return Plain(response.status_code, body, headers=dict(response.items())), headers


def _no_view(request: Any) -> HttpResponse:
    raise NotImplementedError  # middleware wants one; only what it does before a view is used


def _expiry(request: Request) -> datetime | None:
    """When the means by which somebody signed in ends by itself; None when it does not."""
    if isinstance(request.auth, Token):
        return datetime.fromtimestamp(request.auth["exp"], UTC)
    if request.auth is None:
        return request._request.session.get_expiry_date()
    return getattr(request.auth, "expires_at", None)


def _pause(admitted: Admitted) -> float:
    """Seconds until something has to be written or ended; none are left when the admission has expired."""
    if admitted.expires_at is None:
        return SIGN_OF_LIFE
    return min(SIGN_OF_LIFE, (admitted.expires_at - timezone.now()).total_seconds())


def _is_still_allowed(before: Admitted, now: Admitted | Plain) -> bool:
    """A server in trouble is no reason to end a stream; a refusal is, and a permission less."""
    if isinstance(now, Plain):
        return now.status >= 500 or now.status == 429
    return now.wish == before.wish


def _cross_origin(request: ASGIRequest) -> dict[str, str]:
    """CORS: pages of the site may read with cookies, although the live process has another port."""
    origin = request.headers.get("Origin", "")
    headers = {"Vary": "Origin"}
    if is_allowed_origin(origin, request):
        headers |= {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Allow-Headers": "Authorization, Last-Event-ID",
            "Access-Control-Allow-Methods": "GET",
        }
    return headers


def _busy() -> Plain:
    busy = _problem(503, "unavailable", "This process has all the clients that it may have.")
    return Plain(503, busy.body, headers={"Retry-After": "5"})


def _problem(status: int, code: str, message: str) -> Plain:
    return Plain(status, json.dumps({"code": code, "message": message}).encode())


def _start(status: int, headers: Mapping[str, str]) -> dict[str, Any]:
    encoded = [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in {**headers, "X-Content-Type-Options": "nosniff"}.items()
    ]
    return {"type": "http.response.start", "status": status, "headers": encoded}


async def _send_plain(answer: Plain, headers: dict[str, str], send: Send) -> None:
    own = {"Content-Type": answer.content_type} | dict(answer.headers or {})
    await send(_start(answer.status, own | headers | {"Content-Length": str(len(answer.body))}))
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
