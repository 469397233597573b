"""The one client for addresses that people or feeds give us.

`fetch(url)` speaks http(s) only, connects to the very address it checked, refuses private networks on every
redirect hop and stops at limits of time and size. See `docs/outbound.md` for the rules in plain words.
"""

from jobs.outbound.client import Limits, OutboundResponse, Redirect, fetch
from jobs.outbound.errors import OutboundError, OutboundRejected, OutboundUnavailable
from jobs.outbound.headers import parse_retry_after, redact
from jobs.outbound.keeping import Connections, keep_connections

__all__ = [
    "Connections",
    "Limits",
    "OutboundError",
    "OutboundRejected",
    "OutboundResponse",
    "OutboundUnavailable",
    "Redirect",
    "fetch",
    "keep_connections",
    "parse_retry_after",
    "redact",
]
