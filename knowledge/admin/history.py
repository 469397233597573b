"""What updates have brought in: runs with their sources, for the pages of topics, research jobs and sources."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest

from knowledge.admin import rows
from knowledge.models import Harvest, Outcome

State = Harvest.State
Result = Outcome.Result

#: The symbol and the tone of each state: never colour alone.
LOOKS: dict[str, tuple[str, str]] = {
    State.OPEN: ("progress_activity", "busy"),
    State.DONE: ("check_circle", "good"),
    State.FAILED: ("error", "bad"),
}
RESULT_LOOKS: dict[str, tuple[str, str]] = {
    Result.NEW: ("add_circle", "good"),
    Result.UPDATED: ("update", "busy"),
    Result.KNOWN: ("check", "calm"),
    Result.SKIPPED: ("skip_next", "calm"),
    Result.FAILED: ("error", "bad"),
}
#: Runs that are listed.
RECENT = 8


@dataclass(frozen=True)
class Line:
    """One run of a topic or a research job."""

    run_id: UUID
    at: datetime
    #: Whether the run's page is there and may be opened.
    has_page: bool
    harvests: Sequence[Any]

    def count(self, result: str) -> int:
        return sum(getattr(one, f"{result}_count") for one in self.harvests)

    @property
    def new(self) -> int:
        return self.count(Result.NEW)

    @property
    def updated(self) -> int:
        return self.count(Result.UPDATED)

    @property
    def known(self) -> int:
        return self.count(Result.KNOWN)

    @property
    def failed(self) -> int:
        return self.count(Result.FAILED)

    @property
    def failed_sources(self) -> list[Any]:
        return [one for one in self.harvests if one.state == State.FAILED]

    @property
    def state(self) -> tuple[str, str, str]:
        """In words, with symbol and tone."""
        states = {one.state for one in self.harvests}
        if State.OPEN in states:
            return ("not ended", *LOOKS[State.OPEN])
        if states == {State.FAILED}:
            return ("failed", *LOOKS[State.FAILED])
        if State.FAILED in states or self.failed:
            return ("partly", "warning", "warn")
        return ("done", *LOOKS[State.DONE])


def with_counts(harvests: QuerySet[Harvest]) -> QuerySet[Any]:
    """Harvests with the number of outcomes of each result, such as `new_count`."""
    counts = {
        f"{result}_count": Count("outcomes", filter=Q(outcomes__result=result)) for result in Result.values
    }
    return harvests.annotate(**counts)


def recent(harvests: QuerySet[Harvest], request: HttpRequest, most: int = RECENT) -> list[Line]:
    """The last runs of these harvests, the newest first."""
    newest = harvests.order_by().values("run_id").annotate(at=Max("began_at")).order_by("-at")[:most]
    ids = [one["run_id"] for one in newest]
    found: dict[UUID, list[Any]] = {key: [] for key in ids}
    for harvest in with_counts(harvests.filter(run_id__in=ids)).select_related("source").order_by("pk"):
        found[harvest.run_id].append(harvest)
    pages = rows.visible_runs(request, ids)
    return [_line(key, found[key], pages) for key in ids if found[key]]


def _line(run_id: UUID, harvests: Sequence[Any], pages: Iterable[UUID]) -> Line:
    return Line(run_id, harvests[0].began_at, run_id in pages, harvests)
