"""`events/`: server-sent events. The live process answers them (`jobs.api.stream`); here are the rules for who may ask."""

import uuid
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jobs.api.answers import seen_run
from jobs.errors import NotFound
from jobs.live.address import stream_url
from jobs.live.log import Cursor
from jobs.live.wishes import PERMISSIONS, Wish, cursor_of, wish_of

_FORMAT = """
Each event has a kind and a JSON object: `run` (every change of status or progress, with an estimate of what is left), `log`
(new lines), `alert`, `worker` (appeared, gone, silent), `schedule` (edited, paused, moved on to its next slot), `system`
(queues, workers, lag; every 3 seconds). `ready` comes first. `reset` says that events were missed: look at everything anew.
`end` says that the permission or the token has ended.

Come back with the latest id as `Last-Event-ID` (browsers do): nothing is missed for at least five minutes, whichever live process
answers. An event may come twice after that. A comment comes every 15 seconds. Clients that read too slowly are dropped.
"""


class NoLiveProcess(NotFound):
    """Events come from the live process, and none is set up here (LIVE_URL or LIVE_PORT)."""


class EventsView(APIView):
    """In the web process: leads to the live process. Each kind of event has its own permission."""

    permission_classes = (IsAuthenticated,)

    @extend_schema(
        operation_id="events",
        description=f"Follow what happens, as server-sent events.\n{_FORMAT}",
        parameters=[
            OpenApiParameter("kinds", str, description=f"Comma-separated, of: {', '.join(PERMISSIONS)}."),
            OpenApiParameter(
                "run", str, description="Only this run and its log lines, beside other kinds asked for."
            ),
            OpenApiParameter("last_event_id", str, description="Like the header, which goes before it."),
            OpenApiParameter(
                "Last-Event-ID", str, OpenApiParameter.HEADER, description="Go on after that event."
            ),
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(str, description="A stream without end."),
            404: OpenApiResponse(description="No such run, or no live process is set up."),
            307: OpenApiResponse(description="To the live process, when it has another address."),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        admission(request)
        address = stream_url(request._request)
        if not urlsplit(address).netloc:
            raise NoLiveProcess
        query = urlencode(request.query_params)
        return Response(
            status=status.HTTP_307_TEMPORARY_REDIRECT,
            headers={"Location": f"{address}?{query}" if query else address},
        )

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Errors are JSON also for clients that accept event streams only."""
        return JSONRenderer(), "application/json"


def admission(request: Request) -> tuple[Wish, Cursor | None]:
    """What the request may listen to, and after which event.

    Raises InvalidInput, RunNotFound, and PermissionDenied when nothing of what is asked for may be seen.
    """
    query: dict[str, Any] = request.query_params.dict()
    wish = wish_of(query, request.user)
    if not wish.kinds:
        raise PermissionDenied("You may see none of these events.")
    after = cursor_of(query, request.headers.get("Last-Event-ID", ""))
    if wish.run:
        seen_run(request, uuid.UUID(wish.run))
    return wish, after
