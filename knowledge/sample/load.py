"""Putting the sample guidelines among sources and topics."""

import re
from dataclasses import dataclass

from django.db import transaction

from knowledge import topics
from knowledge.models import ConfiguredEntry, Source, Topic
from knowledge.sample.guidelines import PATH
from knowledge.topics import SourceQuery

NAME = "Sample guidelines"

_ENTRY = "sample guidelines"
_LOOPBACK = r"^https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"


@dataclass(frozen=True)
class Loaded:
    """What loading did."""

    created: bool = False
    moved: bool = False


@transaction.atomic
def load_sample_guidelines(base_url: str) -> Loaded:
    """Make the source of the sample guidelines and a topic that reads it, once; later follow the feed to another port.

    Whoever deletes or changes them is not contradicted at the next start.
    """
    address = f"{base_url.rstrip('/')}{PATH}"
    _, is_first = ConfiguredEntry.objects.get_or_create(name=_ENTRY)
    if not is_first:
        return Loaded(moved=_move(address))
    if Source.objects.filter(name=NAME).exists() or Topic.objects.filter(name=NAME).exists():
        return Loaded()
    ours = Source.objects.create(name=NAME, connector="feeds", addresses=[address])
    others = [SourceQuery(source, is_enabled=False) for source in Source.objects.exclude(pk=ours.pk)]
    changes = {"name": NAME, "priority": Topic.Priority.LOW, "papers_per_run": 20, "days_back": 90}
    topics.save(Topic(), changes, queries=[SourceQuery(ours, "*"), *others], by=None)
    return Loaded(created=True)


def _move(address: str) -> bool:
    """Whether a source read the sample feed at another address of this machine, and reads this one now."""
    old = re.compile(_LOOPBACK + re.escape(PATH) + "$")
    for source in Source.objects.filter(connector="feeds"):
        moved = [address if old.match(one) else one for one in source.addresses]
        if moved != source.addresses:
            Source.objects.filter(pk=source.pk).update(addresses=moved, problem="")
            return True
    return False


def topics_to_show() -> list[int]:
    """The topic of the samples, if it was never updated: what the first start does."""
    found = Topic.objects.enabled().filter(name=NAME, updated_at=None, harvests=None)
    return list(found.values_list("pk", flat=True))
