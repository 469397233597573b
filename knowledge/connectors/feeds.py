"""Feeds of health authorities: what WHO, CDC and NIH publish, as RSS or Atom."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from urllib.parse import urlsplit

from django.conf import settings

from jobs.outbound import OutboundResponse
from knowledge.connectors.asking import Question, Service, ask
from knowledge.connectors.base import Batch, Connector, Preview, Query, Window
from knowledge.connectors.feed_documents import Document, read_document
from knowledge.connectors.registry import register
from knowledge.connectors.terms import fits
from knowledge.errors import ConnectorError, ConnectorRejected, ConnectorUnavailable, QueryRejected
from knowledge.rates import NOBODY, Attendance, Pace
from knowledge.records import Record

KIND = "feeds"
ACCEPT = "application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5"
#: Read when a query names no addresses.
AUTHORITIES = {
    "WHO news": "https://www.who.int/rss-feeds/news-english.xml",
    "CDC MMWR": "https://tools.cdc.gov/api/v2/resources/media/342778.rss",
    "NIH news releases": "https://www.nih.gov/news-releases/feed.xml",
}
#: The query that everything fits.
EVERYTHING = "*"


@register
class Feeds(Connector):
    """Guidelines and news of health authorities: of WHO, CDC and NIH, or of other feeds. Entries are kept that fit the query."""

    kind, label = KIND, "Guideline feeds (WHO, CDC, NIH)"
    overlap = timedelta(days=1)
    reads_addresses = True

    def preview(self, query: Query, attendance: Attendance = NOBODY) -> Preview:
        """Feeds cannot be asked for a number: they are read."""
        hits = sum(len(batch.records) for batch in self.batches(query, attendance=attendance))
        words = "everything" if query.text.strip() == EVERYTHING else query.text.strip()
        return Preview(f"{words} in {', '.join(_addresses(query))}", hits)

    def batches(self, query: Query, cursor: str = "", attendance: Attendance = NOBODY) -> Iterator[Batch]:
        """One batch a feed. A feed that fails does not keep the others from being read; its error comes last."""
        query = self.checked(query)
        addresses = _addresses(query)
        done = _done(cursor)
        failures: list[ConnectorError] = []
        given = 0
        left = [number for number in range(len(addresses)) if number not in done]
        for number in left:
            try:
                document = _read(addresses[number], attendance)
            except ConnectorError as error:
                failures.append(error)
                continue
            records = [record for record in document.records if self._fits(record, query)]
            records = records[: max(query.max_results - given, 0)]
            given += len(records)
            done |= {number}
            is_last = len(done) == len(addresses)
            yield Batch(
                tuple(records),
                cursor="" if is_last else json.dumps({"done": sorted(done)}),
                total=given,
                problems=document.problems,
                warnings=document.warnings,
            )
        if failures:
            raise _together(failures)
        if not left:
            yield Batch(())

    def checked(self, query: Query) -> Query:
        for address in query.addresses:
            parts = urlsplit(address)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise QueryRejected(f"“{address}” is not the address of a feed.")
        return super().checked(query)

    def _fits(self, record: Record, query: Query) -> bool:
        if query.window is not None and not self._is_within(record, query.window):
            return False
        if query.language and record.languages and query.language not in record.languages:
            return False
        body = f"{record.title} {record.abstract_text} {' '.join(record.keywords)}"
        return query.text.strip() == EVERYTHING or fits(query.text, body)

    def _is_within(self, record: Record, window: Window) -> bool:
        """Whether the entry belongs to the window; one without a date does."""
        moment = record.published if window.by == "published" else record.revised or record.published
        if moment is None:
            return True
        return self.since(window) <= moment.first <= (window.until or date.max)


def _addresses(query: Query) -> tuple[str, ...]:
    return query.addresses or tuple(AUTHORITIES.values())


def _read(address: str, attendance: Attendance) -> Document:
    def read(answer: OutboundResponse) -> Document:
        return read_document(answer.body, answer.url)

    host = (urlsplit(address).hostname or "").lower()
    service = Service(host, Pace(f"feeds {host}"[:100], settings.FEEDS_SPACING_SECONDS), hold_seconds=10)
    return ask(service, Question(address, headers={"accept": ACCEPT}), read, attendance)


def _together(failures: list[ConnectorError]) -> ConnectorError:
    """One error for all: later if any of them may pass."""
    sentence = " ".join(str(failure) for failure in failures)
    later = [failure for failure in failures if isinstance(failure, ConnectorUnavailable)]
    if later:
        return ConnectorUnavailable(
            sentence,
            status=later[0].status,
            retry_after=max((failure.retry_after or 0.0 for failure in later), default=0.0) or None,
        )
    return ConnectorRejected(sentence, status=failures[0].status)


def _done(cursor: str) -> set[int]:
    """The numbers of the feeds that have been read."""
    if not cursor:
        return set()
    try:
        return {int(number) for number in json.loads(cursor)["done"]}
    except (ValueError, TypeError, KeyError) as error:
        raise ConnectorRejected("This is not a cursor of a feed's.") from error
