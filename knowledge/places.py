"""Where passages stand: on which page, in which section, as which passage of the whole text."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection

from knowledge.models import Paper, Passage
from knowledge.models.paper import BETWEEN_SECTIONS

# Parts of a document follow each other, with nothing but white space between them: a part begins behind all before it.
_OF_DOCUMENTS = """
    SELECT passage.id, document.pages, before.passages + passage.position,
        before.length + strpos(substr(document.text, before.length::int + 1), part.text) - 1 + passage.start
    FROM knowledge_passage passage
    JOIN knowledge_part part ON part.id = passage.part_id
    JOIN knowledge_document document ON document.id = part.document_id
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(length(earlier.text)), 0) AS length, coalesce(sum(counted.passages), 0) AS passages
        FROM knowledge_part earlier
        CROSS JOIN LATERAL (
            SELECT count(*) AS passages FROM knowledge_passage WHERE part_id = earlier.id
        ) counted
        WHERE earlier.document_id = part.document_id AND earlier.number < part.number
    ) before
    WHERE passage.id = ANY(%s)
"""


@dataclass(frozen=True)
class Place:
    """Where a passage stands in its paper or document."""

    #: From 0, counted through the whole text.
    number: int
    #: From 1; None for texts without pages.
    page: int | None = None
    #: The label of the abstract's section, such as "RESULTS"; "" where there are none.
    section: str = ""


def places(passages: Iterable[Passage]) -> Mapping[int, Place]:
    """The place of each passage by its id; one query for all documents. Their parts with paper must be loaded."""
    found: dict[int, Place] = {}
    of_documents = []
    for passage in passages:
        if passage.part.paper is not None:
            section = section_at(passage.part.paper, passage.start)
            found[passage.pk] = Place(passage.position, section=section)
        else:
            of_documents.append(passage.pk)
    if of_documents:
        found |= _in_documents(of_documents)
    return found


def section_at(paper: Paper, start: int) -> str:
    """The label of the section of the abstract that has the character at `start` of its whole text."""
    found, begins = "", 0
    for label, text in paper.sections:
        if begins > start:
            break
        found = label
        begins += len(text) + len(BETWEEN_SECTIONS)
    return found


def _in_documents(ids: list[int]) -> dict[int, Place]:
    with connection.cursor() as cursor:
        cursor.execute(_OF_DOCUMENTS, [ids])
        rows = cursor.fetchall()
    return {
        passage: Place(int(number), page=_page(json.loads(pages), int(start)))
        for passage, pages, number, start in rows
    }


def _page(begins: list[int], start: int) -> int | None:
    return max(bisect_right(begins, start), 1) if begins else None
