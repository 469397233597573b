"""Harvests: a run's questions to its sources, one after the other. What is stored and how far it is are one transaction.

A run that is killed and begun again finds its harvests as they were: those that are done are not asked again, the
others go on behind the last batch that was stored. Two attempts of one run never write into one harvest.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from pydantic import TypeAdapter

from jobs.context import ActiveRun
from jobs.errors import RunSuperseded
from knowledge import connectors, indexing, ingest
from knowledge.chunking import Mode
from knowledge.connectors import Batch, Connector, Query
from knowledge.errors import ConnectorError, ConnectorUnavailable, UnknownConnector
from knowledge.ingest import Stored
from knowledge.models import (
    Embedding,
    Finding,
    Harvest,
    KnowledgePolicy,
    Outcome,
    PaperRecord,
    ResearchJob,
    Source,
    Topic,
)
from knowledge.rates import Attendance
from knowledge.records import Record

logger = logging.getLogger(__name__)

Result = Outcome.Result
State = Harvest.State

#: Papers that are looked up and stored together.
LOOKED_UP_TOGETHER = 100
#: Warnings that a harvest keeps.
_MOST_WARNINGS = 20


@dataclass(frozen=True)
class Order:
    """All that a harvest asks: papers that are known, then queries. Kept with it, so that a resumed run asks the same."""

    queries: tuple[Query, ...] = ()
    #: By what the connector looks papers up.
    lookups: tuple[str, ...] = ()
    #: At most so many different papers of all queries together.
    most: int | None = None
    #: Whether papers that are not here yet are passed over.
    only_known: bool = False
    #: How new papers are cut into passages; None: as the policy says.
    mode: Mode | None = None
    #: Whether papers that are here already are cut into passages and embedded anew.
    again: bool = False

    @property
    def expected(self) -> int:
        """As many papers as may come; never 0."""
        asked = sum(query.max_results for query in self.queries)
        return max(len(self.lookups) + (min(asked, self.most) if self.most is not None else asked), 1)

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = _ORDER.dump_python(self, mode="json")
        return found

    @classmethod
    def of(cls, harvest: Harvest) -> "Order":
        return _ORDER.validate_python(harvest.query)


_ORDER = TypeAdapter(Order)


@dataclass(frozen=True)
class Plan:
    """A harvest to be begun."""

    source: Source
    order: Order
    topic: Topic | None = None
    research_job: ResearchJob | None = None


@dataclass(frozen=True)
class Place:
    """How far a harvest is: which of its questions it asks, and where the source goes on."""

    question: int = 0
    cursor: str = ""

    def as_text(self) -> str:
        return json.dumps({"question": self.question, "cursor": self.cursor})

    @classmethod
    def of(cls, harvest: Harvest) -> "Place":
        return cls(**json.loads(harvest.cursor)) if harvest.cursor else cls()


@dataclass(frozen=True)
class Gathered:
    """The harvests of a run, all at their end, and what kept some from being read."""

    harvests: tuple[Harvest, ...]
    #: Errors of this attempt by the harvest's id.
    errors: dict[int, ConnectorError | UnknownConnector]

    @property
    def failed(self) -> list[Harvest]:
        return [harvest for harvest in self.harvests if harvest.state == State.FAILED]

    @property
    def later(self) -> ConnectorUnavailable | None:
        """What to raise when not one source could be asked, but one of them may later; else None."""
        temporary = [error for error in self.errors.values() if isinstance(error, ConnectorUnavailable)]
        if not temporary or len(self.failed) < len(self.harvests):
            return None
        reasons = "; ".join(f"{harvest}: {harvest.problem}" for harvest in self.failed[:3])
        waits = [error.retry_after for error in temporary if error.retry_after]
        return ConnectorUnavailable(
            f"No source could be asked. {reasons}{' …' if len(self.failed) > 3 else ''}",
            retry_after=max(waits, default=None),
        )


def begin(run_id: UUID, plans: Sequence[Plan]) -> list[Harvest]:
    """The harvests of a run: those that it began before, whatever is planned now, else new ones by the plans.

    Those that failed in an earlier attempt are open again.
    """
    with transaction.atomic():
        there = Harvest.objects.of_run(run_id)
        there.filter(state=State.FAILED).update(state=State.OPEN, problem="", ended_at=None)
        if not there.exists():
            Harvest.objects.bulk_create(
                Harvest(
                    run_id=run_id,
                    topic=plan.topic,
                    research_job=plan.research_job,
                    source=plan.source,
                    query=plan.order.as_json(),
                )
                for plan in plans
            )
    return list(there.select_related("topic", "research_job", "source").order_by("pk"))


def gather(run: ActiveRun, harvests: Sequence[Harvest]) -> Gathered:
    """Carry all of them out, one after the other; a source that fails keeps no other from being asked."""
    errors: dict[int, ConnectorError | UnknownConnector] = {}
    total = sum(Order.of(harvest).expected for harvest in harvests)
    done = 0
    for harvest in harvests:
        expected = Order.of(harvest).expected
        words = f"Fetching {harvest}"
        run.report(done, total, words)
        try:
            for got in _carry_out(run, harvest):
                run.report(done + min(got, expected), total, words)
        except (ConnectorError, UnknownConnector) as error:
            _end(harvest, State.FAILED, problem=str(error) or type(error).__name__)
            errors[harvest.pk] = error
        done += expected
        run.report(done, total, words)
    ids = [harvest.pk for harvest in harvests]
    ended = Harvest.objects.filter(pk__in=ids).select_related("topic", "research_job", "source")
    return Gathered(tuple(ended.order_by("pk")), errors)


def _carry_out(run: ActiveRun, harvest: Harvest) -> Iterator[int]:
    """Ask what is left to be asked; gives how many papers have come after each batch."""
    if harvest.state != State.OPEN:
        return
    order = Order.of(harvest)
    connector = connectors.get(harvest.source.connector)
    got = 0
    for batch, place, asked in _batches(connector, order, Place.of(harvest), Attendance(run.check, run.log)):
        run.check()
        is_full = _keep(harvest, order, batch, place)
        if asked and connector.looks_up:
            _touch(harvest.source, connector.looks_up, asked)
        got += len(batch.records)
        yield got
        if is_full:
            break
    _end(harvest, State.DONE)


def _batches(
    connector: Connector, order: Order, place: Place, attendance: Attendance
) -> Iterator[tuple[Batch, Place, tuple[str, ...]]]:
    """What the source gives from a place on, each batch with the place behind it; and what it has been asked about by then."""
    lookups = [
        order.lookups[start : start + LOOKED_UP_TOGETHER]
        for start in range(0, len(order.lookups), LOOKED_UP_TOGETHER)
    ]
    for number in range(place.question, len(lookups) + len(order.queries)):
        following = Place(number + 1)
        if number < len(lookups):
            batches = connector.lookup(lookups[number], attendance)
            yield from ((batch, Place(number), ()) for batch in batches)
            yield Batch(()), following, lookups[number]
            continue
        cursor = place.cursor if number == place.question else ""
        for batch in connector.batches(order.queries[number - len(lookups)], cursor, attendance):
            yield batch, Place(number, batch.cursor) if batch.cursor else following, ()


def _touch(source: Source, identifier: str, asked: Sequence[str]) -> None:
    """The others come first the next time, also where the source had nothing to say."""
    rows = PaperRecord.objects.filter(source=source.connector, **{f"paper__{identifier}__in": asked})
    rows.update(fetched_at=timezone.now())


def _keep(harvest: Harvest, order: Order, batch: Batch, place: Place) -> bool:
    """Store a batch with what became of it and the place behind it; whether the harvest has all it may have."""
    with transaction.atomic():
        row = Harvest.objects.select_for_update().filter(pk=harvest.pk).first()
        if row is None:  # its topic, job or source was deleted
            return True
        if row.cursor != harvest.cursor or row.state != State.OPEN:
            raise RunSuperseded
        records = _within(harvest, order, batch.records)
        stored = ingest.store(records, mode=order.mode)
        if order.again:
            stored = [_made_again(one, order) for one in stored]
        _write(harvest, batch, stored)
        row.cursor = place.as_text()
        row.total = max(row.total, batch.total)
        row.warnings = list(dict.fromkeys([*row.warnings, *batch.warnings]))[:_MOST_WARNINGS]
        row.save(update_fields=["cursor", "total", "warnings"])
        is_full = order.most is not None and harvest.outcomes.count() >= order.most
    harvest.cursor, harvest.total, harvest.warnings = row.cursor, row.total, row.warnings
    return is_full


def _made_again(one: Stored, order: Order) -> Stored:
    if one.paper is None or one.result == Result.NEW:
        return one
    Embedding.objects.filter(passage__part__paper=one.paper).delete()
    indexing.index_papers([one.paper], order.mode or Mode(KnowledgePolicy.current().mode))
    reason = f"{one.reason} Its passages and vectors are made again, as was asked."
    return replace(one, result=Result.UPDATED, reason=reason.strip())


def _within(harvest: Harvest, order: Order, records: Sequence[Record]) -> list[Record]:
    """Those of the records that this harvest is to have, each once."""
    there = set(
        harvest.outcomes.filter(source_id_there__in=[_name(record) for record in records]).values_list(
            "source_id_there", flat=True
        )
    )
    fresh = list({_name(record): record for record in records if _name(record) not in there}.values())
    if order.only_known:
        fresh = ingest.known(fresh)
    return fresh if order.most is None else fresh[: max(order.most - harvest.outcomes.count(), 0)]


def _write(harvest: Harvest, batch: Batch, stored: Sequence[Stored]) -> None:
    """The outcomes of a batch, and for which topic or job its papers were found."""
    outcomes = [
        Outcome(
            harvest=harvest,
            source_id_there=_name(one.record),
            paper_id=one.paper.pk if one.paper else None,
            result=one.result,
            reason=one.reason,
        )
        for one in stored
    ]
    outcomes += [
        Outcome(
            harvest=harvest,
            source_id_there=problem.source_id[:500] or "without a name",
            result=Result.FAILED,
            reason=problem.reason,
        )
        for problem in batch.problems
    ]
    outcomes += [
        Outcome(
            harvest=harvest,
            source_id_there=name[:500],
            result=Result.SKIPPED,
            reason="The source does not have it (any more).",
        )
        for name in batch.missing
    ]
    # What a source gives a second time, because it was read from the start again, has its outcome.
    Outcome.objects.bulk_create(outcomes, ignore_conflicts=True)
    if harvest.topic_id is not None or harvest.research_job_id is not None:
        Finding.objects.bulk_create(
            [
                Finding(paper=one.paper, topic_id=harvest.topic_id, research_job_id=harvest.research_job_id)
                for one in stored
                if one.paper is not None
            ],
            ignore_conflicts=True,
        )


def _name(record: Record) -> str:
    return record.source_id[:500]


def _end(harvest: Harvest, state: Harvest.State, problem: str = "") -> None:
    now = timezone.now()
    Harvest.objects.filter(pk=harvest.pk, state=State.OPEN).update(state=state, problem=problem, ended_at=now)
    harvest.state, harvest.problem, harvest.ended_at = state, problem, now
