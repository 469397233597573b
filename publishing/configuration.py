"""Changing publishers: checked, audited, the same for the API and the admin."""

from collections.abc import Mapping

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from jobs import audit
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidInput, InvalidParameters
from jobs.models import JobRun
from jobs.secrets import Sealed, SecretUnreadable
from publishing import publishers
from publishing.errors import UnknownPublisherKind
from publishing.models import Publisher


def secret_names(publisher: Publisher) -> list[str] | None:
    """Which secrets the publisher has; None when no key opens them."""
    try:
        return sorted(publisher.secrets.open())
    except SecretUnreadable:
        return None


@transaction.atomic
def save(publisher: Publisher, *, settings: Mapping[str, object] | None, by: AbstractBaseUser | None) -> None:
    """Check and save a new or changed publisher.

    `settings` are those of its kind, secrets among them; a secret that is left out stays what it is. None: they do not
    change. Raises InvalidInput naming each field; those of the kind are below "settings".
    """
    is_new = publisher.pk is None
    problems: dict[str, list[str]] = {}
    if settings is not None:
        try:
            _put(publisher, settings)
        except UnknownPublisherKind as error:
            problems["kind"] = [str(error)]
        except InvalidParameters as error:
            problems |= {f"settings.{name}": texts for name, texts in error.fields.items()}
    try:
        publisher.full_clean(exclude=["secrets"])
    except ValidationError as error:
        problems |= error.message_dict
    if problems:
        raise InvalidInput(problems)
    publisher.save()
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, publisher, "Added." if is_new else "Changed.", action=action)


def _put(publisher: Publisher, given: Mapping[str, object]) -> None:
    kind = publishers.get_kind(publisher.kind)
    values = kind.clean({**opened(publisher), **given})
    secrets = kind.parameters.secret_names()
    publisher.settings = {name: value for name, value in values.items() if name not in secrets}
    publisher.secrets = Sealed.of(
        {name: value for name, value in values.items() if name in secrets and value}
    )


def opened(publisher: Publisher) -> dict[str, str]:
    """The stored secrets; none when no key opens them, so that they can be entered again."""
    try:
        return publisher.secrets.open()
    except SecretUnreadable:
        return {}


@transaction.atomic
def enable(publisher: Publisher, *, by: AbstractBaseUser | None) -> None:
    """Send to it again; what waits and is not too late goes out with the next round."""
    Publisher.objects.filter(pk=publisher.pk).update(is_enabled=True)
    audit.record(by, publisher, "Enabled.")


@transaction.atomic
def disable(publisher: Publisher, *, by: AbstractBaseUser | None) -> None:
    """Send nothing to it until it is enabled."""
    Publisher.objects.filter(pk=publisher.pk).update(is_enabled=False)
    audit.record(by, publisher, "Disabled.")


def delete(publisher: Publisher, *, by: AbstractBaseUser | None) -> None:
    """Delete a publisher that nothing was ever published to. Raises IllegalState."""
    try:
        with transaction.atomic():
            audit.record(by, publisher, "Deleted.", action=audit.DELETION)
            publisher.delete()
    except ProtectedError as error:
        raise IllegalState("Posts went or go out to this publisher. Disable it instead.") from error


@transaction.atomic
def test(publisher: Publisher, *, by: AbstractBaseUser | None, trigger: JobRun.Trigger) -> JobRun:
    """Queue a run that tries address and credentials, without publishing."""
    audit.record(by, publisher, "Asked for a test.")
    parameters = {"publisher_id": publisher.pk}
    return enqueue(get_job("publishing.test_publisher"), parameters, trigger=trigger, requested_by=by)
