"""What a search is restricted to, and the check that what an index names still stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Retracted(StrEnum):
    """Whether retracted papers may be found."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


@dataclass(frozen=True, kw_only=True)
class Filters:
    """All that is given must hold. Documents have no types, sources and topics, and are never retracted."""

    #: Connectors' names; a paper that any of them gave.
    sources: Sequence[str] = ()
    year_from: int | None = None
    year_to: int | None = None
    #: Publication types; a paper that is any of them.
    types: Sequence[str] = ()
    #: ISO 639 codes; a text in any of them.
    languages: Sequence[str] = ()
    retracted: Retracted = Retracted.EXCLUDE
    #: Subjects as the source names them, or the category of a document; a text in any of them.
    categories: Sequence[str] = ()
    #: Topics by id; a paper that was found for any of them.
    topics: Sequence[int] = ()
    #: Papers by id, for whoever knows more than these filters do.
    papers: Sequence[int] | None = None

    @property
    def sql(self) -> tuple[str, dict[str, Any]]:
        """A condition on `part`, `paper` and `document`, joined as in `JOINS`, with its parameters."""
        conditions = []
        given: dict[str, Any] = {}
        if self.retracted is Retracted.EXCLUDE:
            conditions.append("paper.is_retracted IS NOT TRUE")
        elif self.retracted is Retracted.ONLY:
            conditions.append("paper.is_retracted")
        if self.sources:
            conditions.append("paper.sources && %(sources)s::varchar[]")
            given["sources"] = list(self.sources)
        if self.types:
            conditions.append("paper.types && %(types)s::text[]")
            given["types"] = list(self.types)
        if self.year_from is not None:
            conditions.append("coalesce(paper.year, document.year) >= %(year_from)s")
            given["year_from"] = self.year_from
        if self.year_to is not None:
            conditions.append("coalesce(paper.year, document.year) <= %(year_to)s")
            given["year_to"] = self.year_to
        if self.languages:
            conditions.append(
                "(paper.languages && %(languages)s::varchar[] OR document.language = ANY(%(languages)s))"
            )
            given["languages"] = list(self.languages)
        if self.categories:
            conditions.append(
                "(paper.categories && %(categories)s::text[] OR document.category = ANY(%(categories)s))"
            )
            given["categories"] = list(self.categories)
        if self.topics:
            conditions.append(
                "part.paper_id IN (SELECT paper_id FROM knowledge_finding WHERE topic_id = ANY(%(topics)s::bigint[]))"
            )
            given["topics"] = list(self.topics)
        if self.papers is not None:
            conditions.append("part.paper_id = ANY(%(papers)s::bigint[])")
            given["papers"] = list(self.papers)
        return " AND ".join(conditions) or "true", given


JOINS = """
    LEFT JOIN knowledge_paper paper ON paper.id = part.paper_id
    LEFT JOIN knowledge_document document ON document.id = part.document_id
"""
