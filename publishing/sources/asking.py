"""Asking a web server for a document, as polite readers do; shared by the kinds that read the web."""

import re
from datetime import UTC, datetime, timedelta

from jobs import outbound
from jobs.outbound.headers import parse_http_date
from publishing.errors import SourceGone, SourceRejected, SourceUnavailable, SourceUnreadable
from publishing.sources.base import Fetched, FetchRequest

_BUSY = {429, 503}
_MAX_AGE = re.compile(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[\s,])no-(?:cache|store)(?:[\s,]|$)", re.IGNORECASE)
_LONGEST_QUIET = timedelta(days=7)


def ask(
    request: FetchRequest, *, accept: str, conditional: bool = True, limits: outbound.Limits | None = None
) -> outbound.OutboundResponse:
    """One GET for the request's address, with both validators of last time unless everything is wanted.

    Raises SourceError for whatever is no document.
    """
    headers = {"accept": accept}
    if conditional and not request.force:
        if request.etag:
            headers["if-none-match"] = request.etag
        if request.last_modified:
            headers["if-modified-since"] = request.last_modified
    try:
        response = outbound.fetch(request.url, headers=headers, limits=limits)
        _refuse_what_is_no_answer(response)
    except outbound.OutboundUnavailable as error:
        is_busy = error.status in _BUSY
        raise SourceUnavailable(
            str(error), status=error.status, retry_after=error.retry_after, is_host_busy=is_busy
        ) from error
    except outbound.OutboundRejected as error:
        raise SourceRejected(str(error), status=error.status) from error
    return response


def _refuse_what_is_no_answer(response: outbound.OutboundResponse) -> None:
    if response.status == 410:
        raise SourceGone("The server says that this address is gone for good (status 410).", status=410)
    if response.status == 403 and response.headers.get("cf-mitigated", "").lower() == "challenge":
        raise SourceRejected("The server asks for a browser check, which a program cannot pass.", status=403)
    if response.status == 204:
        raise SourceUnreadable("The server answered without a document (status 204).", status=204)
    response.raise_for_status()


def unchanged(request: FetchRequest, response: outbound.OutboundResponse) -> Fetched:
    """A 304 may carry fresh validators (RFC 9111, 3.2 and 4.3.4); what it leaves out stays as it was."""
    etag, last_modified = validators(response)
    return Fetched(
        is_changed=False,
        status=response.status,
        etag=etag or request.etag,
        last_modified=last_modified or request.last_modified,
        body_hash=request.body_hash,
        permanent_url=response.permanent_url,
        quiet_for=quiet_period(response),
    )


def validators(response: outbound.OutboundResponse) -> tuple[str, str]:
    """ETag and Last-Modified to send back next time; none from a server that says its answers are stale at once."""
    if response.headers.get("expires", "").strip() == "0":
        return "", ""
    etag = response.headers.get("etag", "").strip()
    last_modified = response.headers.get("last-modified", "").strip()
    return (etag if len(etag) <= 500 else ""), (last_modified if len(last_modified) <= 100 else "")


def quiet_period(response: outbound.OutboundResponse, ttl_minutes: int | None = None) -> timedelta | None:
    """The longest time that the document's ttl, Cache-Control or Expires ask to be left alone; None when none does."""
    periods = []
    if ttl_minutes:
        periods.append(timedelta(minutes=ttl_minutes))
    caching = response.headers.get("cache-control", "")
    if not _NO_CACHE.search(caching):
        if match := _MAX_AGE.search(caching):
            periods.append(timedelta(seconds=int(match[1])))
        elif (expires := parse_http_date(response.headers.get("expires", ""))) is not None:
            now = parse_http_date(response.headers.get("date", "")) or datetime.now(UTC)
            periods.append(expires - now)
    periods = [min(period, _LONGEST_QUIET) for period in periods if period > timedelta(0)]
    return max(periods, default=None)
