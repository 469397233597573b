"""The one client for addresses that people or feeds give us.

`fetch(url)` speaks http(s) only, connects to the very address it checked, refuses private networks on every
redirect hop and stops at limits of time and size. `stream(url)` does the same for answers that are read as they
come. See `docs/outbound.md` for the rules in plain words.
"""

from jobs.outbound.client import Limits, OutboundResponse, Redirect, fetch
from jobs.outbound.errors import OutboundError, OutboundRejected, OutboundUnavailable
from jobs.outbound.headers import parse_retry_after, redact
from jobs.outbound.keeping import Connections, keep_connections
from jobs.outbound.streaming import OutboundStream, stream

__all__ = [
    "Connections",
    "Limits",
    "OutboundError",
    "OutboundRejected",
    "OutboundResponse",
    "OutboundStream",
    "OutboundUnavailable",
    "Redirect",
    "fetch",
    "keep_connections",
    "parse_retry_after",
    "redact",
    "stream",
]
