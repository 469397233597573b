"""How publishers do: what waits for them, what is left to people, when they last took something, how their last test ended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, OuterRef, Subquery, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from jobs.models import JobRun
from publishing.models import Publication, Publisher

TEST = "publishing.test_publisher"

_UNDER_WAY = (Publication.State.WAITING, Publication.State.SENDING)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How one publisher does."""

    waiting: int = 0
    #: Failed, missed, unconfirmed for good, or not changed there.
    left_to_people: int = 0
    last_published_at: datetime | None = None
    #: The run that tested it last.
    last_test: JobRun | None = None


def of_publishers(ids: Collection[int], *, reader: Any) -> dict[int, Standing]:
    """How each of these publishers does; tests are those that the reader may see. Four statements."""
    rows = Publication.objects.filter(publisher__in=ids).order_by()
    there = rows.filter(state__in=(Publication.State.PUBLISHED, Publication.State.WITHDRAWN))
    waiting = dict(rows.filter(state__in=_UNDER_WAY).values_list("publisher").annotate(Count("pk")))
    left = dict(rows.left_to_people().values_list("publisher").annotate(Count("pk")))
    published = dict(there.values_list("publisher").annotate(Max("published_at")))
    tests = _last_tests(ids, reader)
    return {
        pk: Standing(
            waiting=waiting.get(pk, 0),
            left_to_people=left.get(pk, 0),
            last_published_at=published.get(pk),
            last_test=tests.get(pk),
        )
        for pk in ids
    }


def of_publisher(publisher: Publisher, *, reader: Any) -> Standing:
    """How this one does."""
    return of_publishers([publisher.pk], reader=reader)[publisher.pk]


def _last_tests(ids: Collection[int], reader: Any) -> dict[int, JobRun]:
    if not reader.has_perm("jobs.view_jobrun"):
        return {}
    # As text: a number could not be compared with whatever other jobs call so.
    of_one = JobRun.objects.visible_to(reader).filter(job=TEST)
    latest = (
        of_one.annotate(about=KeyTextTransform("publisher_id", "parameters"))
        .filter(about=Cast(OuterRef("pk"), TextField()))
        .order_by("-id")
        .values("pk")[:1]
    )
    found = dict(
        Publisher.objects.filter(pk__in=ids)
        .order_by()
        .annotate(test=Subquery(latest))
        .values_list("pk", "test")
    )
    runs = JobRun.objects.defer("traceback").in_bulk([pk for pk in found.values() if pk is not None])
    return {pk: runs[test] for pk, test in found.items() if test in runs}
