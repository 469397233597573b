"""What people do with sources: make, change, try, sync. Admin and API call these."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from jobs import audit
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState
from jobs.models import JobRun
from jobs.outbound import OutboundRejected, OutboundUnavailable
from jobs.outbound.addresses import AddressGuard
from knowledge import connectors
from knowledge.errors import InvalidSource
from knowledge.models import Source

JOB = "knowledge.sync_sources"

_LOOKUP_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def save(source: Source, changes: Mapping[str, Any], *, by: AbstractBaseUser | None) -> Source:
    """Make or change a source. Raises InvalidSource naming each field."""
    addresses = changes.get("addresses")
    if addresses is not None:
        changes = {**changes, "addresses": _checked(addresses)}
    with transaction.atomic():
        is_new = source.pk is None
        if not is_new:
            source = Source.objects.select_for_update().get(pk=source.pk)
        before = (source.connector, source.addresses)
        for name, value in changes.items():
            setattr(source, name, value)
        if before != (source.connector, source.addresses):
            # What was said of another place says nothing of this one.
            source.problem, source.revised_until, source.synced_at = "", None, None
        _check(source)
        source.save()
        action = audit.ADDITION if is_new else audit.CHANGE
        audit.record(by, source, "Added." if is_new else "Changed.", action=action)
    return source


def _check(source: Source) -> None:
    try:
        source.full_clean()
    except ValidationError as error:
        raise InvalidSource(error.message_dict) from error
    connector = connectors.get(source.connector)
    if source.addresses and not connector.reads_addresses:
        raise InvalidSource(
            {"addresses": [f"{connector.label} has an address of its own; leave this empty."]}
        )


def _checked(addresses: Sequence[str]) -> list[str]:
    """The addresses, each once. A name that cannot be resolved now is let through: each request checks again."""
    found = list(dict.fromkeys(address.strip() for address in addresses if address.strip()))
    problems = [problem for problem in map(_why_not, found) if problem]
    if problems:
        raise InvalidSource({"addresses": problems})
    return found


def _why_not(address: str) -> str:
    """Why nothing may be read from there; "" if it may."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
        parts = urlsplit("")
    if parts.scheme not in _PORTS or not host:
        return f"“{address}” is not an address of a feed: it begins with https:// or http://."
    if parts.username or parts.password:
        return f"The address on {host} has a name or a password in it."
    guard = AddressGuard(settings.OUTBOUND_ALLOWED_HOSTS)
    try:
        guard.addresses(host, port or _PORTS[parts.scheme], _LOOKUP_SECONDS)
    except OutboundRejected as error:
        return str(error)
    except OutboundUnavailable:
        return ""
    return ""


def set_enabled(source: Source, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
    """Ask a source by itself, or leave it alone."""
    with transaction.atomic():
        Source.objects.filter(pk=source.pk).update(is_enabled=is_enabled)
        audit.record(by, source, "Enabled." if is_enabled else "Disabled.")
    source.is_enabled = is_enabled


@transaction.atomic
def delete(source: Source, *, by: AbstractBaseUser | None) -> None:
    """Delete a source with its part of the history of updates; its papers stay. Raises IllegalState for the last one of a research job."""
    alone = [str(job) for job in source.research_jobs.all() if job.sources.count() == 1]
    if alone:
        raise IllegalState(f"It is the only source of {', '.join(alone)}; choose another one there first.")
    audit.record(by, source, "Deleted.", action=audit.DELETION)
    source.delete()


@transaction.atomic
def sync(
    sources: Sequence[Source],
    *,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    idempotency_key: str | None = None,
) -> JobRun:
    """Look for revisions and retractions of known papers at these sources now; gives the run. None: at all enabled ones.

    Raises IllegalState for one that is disabled.
    """
    for source in sources:
        if not source.is_enabled:
            raise IllegalState(f"{source} is disabled.")
        audit.record(by, source, "Asked for news of known papers.")
    return enqueue(
        get_job(JOB),
        {"sources": [source.pk for source in sources]},
        trigger=trigger,
        requested_by=by,
        idempotency_key=idempotency_key,
    )
