"""What every connector has to do. A connector is pure: beside the shared pace it knows no database and keeps no state."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal

from knowledge.errors import QueryRejected
from knowledge.rates import NOBODY, Attendance
from knowledge.records import Record

LONGEST_QUERY = 4_000


@dataclass(frozen=True)
class Window:
    """What is looked for by time: papers that a source has had, or has changed, since a day."""

    since: date
    #: The last day, included; None: up to now.
    until: date | None = None
    #: "entered": new to the source; "revised": changed there, retractions among it; "published": by date of publication.
    by: Literal["entered", "revised", "published"] = "entered"


@dataclass(frozen=True)
class Query:
    """What to look for."""

    #: Words, or the connector's own syntax. Always treated as one group when conditions are added.
    text: str
    window: Window | None = None
    #: At most so many records, the newest or the most relevant.
    max_results: int = 100
    order: Literal["newest", "relevance"] = "newest"
    #: ISO 639 code of two letters; "": any. Ignored by connectors that cannot tell.
    language: str = ""
    #: Only what has an abstract, where the connector can tell.
    has_abstract: bool = False
    #: Whether papers that are known to be retracted are left out, where the connector can tell.
    leave_out_retracted: bool = False
    #: What the connector reads instead of its usual addresses; for feeds.
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What a query means to a source, and how much there is."""

    #: As the source understood it, or as it is sent where sources do not say.
    translated: str
    #: How many papers fit in all; what `batches` gives is limited by `max_results`.
    hits: int
    #: What people should know, such as a phrase that the source does not know.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """One record of a batch that could not be read. The others are not affected."""

    source_id: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Some of the records, and how to go on after them."""

    records: tuple[Record, ...]
    #: Hand it to `batches` with the same query to go on behind this batch; "" after the last one.
    cursor: str = ""
    #: How many records come in all, this batch and those before it included.
    total: int = 0
    problems: tuple[Problem, ...] = ()
    #: The source's names of what it has deleted, or (`lookup`) does not have.
    missing: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Connector(ABC):
    """One source of papers.

    Whatever goes wrong is a `ConnectorError`: `ConnectorUnavailable` (later), `ConnectorRejected` (never) or
    `QueryRejected` (your query). Nothing found is no error: a preview with no hits, one batch with no records.
    """

    #: Stored with topics and records; never changes.
    kind: ClassVar[str]
    label: ClassVar[str]
    #: How much further back than a window's `since` is looked: sources list papers late.
    overlap: ClassVar[timedelta] = timedelta(days=1)
    #: Whether it reads what addresses a query names; others have one of their own.
    reads_addresses: ClassVar[bool] = False
    #: By what `lookup` finds records; None if the source cannot.
    looks_up: ClassVar[Literal["pmid", "pmcid", "doi", "arxiv_id"] | None] = None

    @property
    def help_text(self) -> str:
        return inspect.getdoc(type(self)) or ""

    @abstractmethod
    def preview(self, query: Query, attendance: Attendance = NOBODY) -> Preview:
        """What the query would find, without fetching it."""

    @abstractmethod
    def batches(self, query: Query, cursor: str = "", attendance: Attendance = NOBODY) -> Iterator[Batch]:
        """The records, some at a time; at least one batch, even if it is empty.

        With the cursor of a batch it goes on behind it. A source that has forgotten where we were is read from the
        start: reading a record twice does no harm, missing one would.
        """

    def lookup(self, identifiers: Sequence[str], attendance: Attendance = NOBODY) -> Iterator[Batch]:
        """What the source says now about papers that are known, by the identifiers that `looks_up` names."""
        raise NotImplementedError(f"{self.label} cannot look up single papers.")

    def warnings(self) -> tuple[str, ...]:
        """What operators should know about its settings, such as an address of contact that is not set."""
        return ()

    def checked(self, query: Query) -> Query:
        """The query; raises QueryRejected with the reason if nothing can be asked with it."""
        text = " ".join(query.text.split())
        if not text:
            raise QueryRejected("The query is empty.")
        if len(text) > LONGEST_QUERY:
            raise QueryRejected(f"The query is longer than {LONGEST_QUERY:,} characters.")
        if any(ord(sign) < 32 or 0xD800 <= ord(sign) <= 0xDFFF for sign in text):
            raise QueryRejected("The query has characters that no source takes.")
        if not _is_balanced(text):
            raise QueryRejected("The query has a bracket or a quotation mark without its other half.")
        if query.max_results < 1:
            raise QueryRejected("At least one result has to be asked for.")
        if query.window and query.window.until and query.window.until < query.window.since:
            raise QueryRejected("The window ends before it begins.")
        return query

    def since(self, window: Window) -> date:
        """The first day that is asked for: the window's, less the overlap."""
        return window.since if window.by == "published" else window.since - self.overlap


def _is_balanced(text: str) -> bool:
    """Whether every bracket and quotation mark has its other half; else the conditions we add would mean something else."""
    closers, opened = {"(": ")", "[": "]"}, []
    is_quoted = False
    for sign in text:
        if sign == '"':
            is_quoted = not is_quoted
        elif is_quoted:
            continue
        elif sign in closers:
            opened.append(closers[sign])
        elif sign in closers.values() and (not opened or opened.pop() != sign):
            return False
    return not opened and not is_quoted
