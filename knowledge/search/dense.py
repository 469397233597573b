"""The vector index: the nearest passages, by cosine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray
from pgvector import HalfVector

from knowledge.embedding import Vectors
from knowledge.embedding.base import normalised
from knowledge.models import EmbeddingModel
from knowledge.search.filters import JOINS, Filters
from knowledge.search.rows import binary_rows

#: How many neighbours the index keeps in sight: more find more of the nearest, and take longer. With 120, 978 of 1,000
#: were found among 100,000 passages.
SIGHT = 160
#: What pgvector allows.
_FARTHEST_SIGHT = 1000

Ids = NDArray[np.int64]


#: The share of the nearest that must stand and pass the filters; else more of them are asked for.
_FRESH = 0.9
#: How many times more at most: beyond, few pass, and comparing them all is faster.
_DEEPER = 10
#: Bytes before the numbers of a vector, as the database sends it.
_HEAD = 4


@dataclass(frozen=True)
class Near:
    """A passage and how near it is: 1 for the same direction. None while it has no vector."""

    passage: int
    part: int
    similarity: float | None
    #: Its vector as the database sends it; only where the vectors of all are wanted.
    sent: bytes | None = field(default=None, repr=False)


def nearest(vector: Vectors, model: EmbeddingModel, filters: Filters, limit: int) -> list[Near]:
    """The nearest passages that stand and pass the filters, the nearest first.

    Of what the index names first, filters may leave too little: then it is asked for more, and at last every passage
    that passes them is compared. So filters cost time and not results.
    """
    found, named = _named(vector, model, filters, limit, limit)
    if len(found) >= limit or named < limit:
        return found
    return _deeper(vector, model, filters, limit, limit, len(found))


def candidates(
    vector: Vectors, model: EmbeddingModel, filters: Filters, limit: int, parts: Ids
) -> list[Near]:
    """How near each passage is: of these parts, and of those that have one of about so many nearest passages.

    Only of those that stand and pass the filters; with one question to the database, if they let most pass.
    """
    given = {"parts": parts.tolist(), "reach": limit}
    rows = _run(_CANDIDATES, vector, model, filters, given, sight=max(limit, SIGHT))
    named, standing = rows[0][3], sum(row[4] for row in rows)
    enough = int(limit * _FRESH)
    if named < limit or standing >= enough:
        return [Near(row[0], row[1], row[2], row[5]) for row in rows if row[0] is not None]
    near = _deeper(vector, model, filters, limit, enough, standing)
    named_too = np.array([found.part for found in near], dtype=np.int64)
    return similarities(vector, model, filters, np.union1d(parts, named_too))


def _deeper(
    vector: Vectors, model: EmbeddingModel, filters: Filters, limit: int, enough: int, standing: int
) -> list[Near]:
    """When only so many of the nearest stand: look so deep that it should be enough, or else compare all."""
    reach = limit * _DEEPER
    if standing:
        reach = min(reach, max(limit * 2, limit * limit * 3 // (standing * 2)))
    found, named = _named(vector, model, filters, limit, reach)
    if len(found) >= enough or named < reach:
        return found
    rows = _run(_COMPARED, vector, model, filters, {"limit": limit}, sight=SIGHT)
    return [Near(*row) for row in rows]


def _named(
    vector: Vectors, model: EmbeddingModel, filters: Filters, limit: int, reach: int
) -> tuple[list[Near], int]:
    """What stands of so many that the index names, and how many it named."""
    rows = _run(_NAMED, vector, model, filters, {"limit": limit, "reach": reach}, sight=max(reach, SIGHT))
    return [Near(*row[:3]) for row in rows if row[0] is not None], rows[0][3]


def similarities(vector: Vectors, model: EmbeddingModel, filters: Filters, parts: Ids) -> list[Near]:
    """How near each passage of these parts is; of those that stand and pass the filters."""
    rows = _run(_OF_PARTS, vector, model, filters, {"parts": parts.tolist()}, sight=SIGHT)
    return [Near(*row) for row in rows]


def standing(filters: Filters, parts: Ids) -> set[int]:
    """Those of the parts that are still there and pass the filters."""
    condition, given = filters.sql
    statement = f"""
        SELECT part.id FROM knowledge_part part {JOINS}
        WHERE part.id = ANY(%(parts)s::bigint[]) AND {condition}
    """  # noqa: S608 - the condition is ours; what people give is in parameters
    with connection.cursor() as cursor:
        cursor.execute(statement, given | {"parts": parts.tolist()})
        return {pk for (pk,) in cursor.fetchall()}


def vectors_of(near: Sequence[Near]) -> Vectors:
    """Their vectors, with length 1; zeros for those that have none."""
    dimension = max((len(one.sent) - _HEAD for one in near if one.sent), default=0) // 2
    nothing = bytes(_HEAD + dimension * 2)
    sent = np.frombuffer(b"".join([one.sent or nothing for one in near]), dtype=np.uint8)
    # Two bytes for its length and two for nothing, then halves, the larger byte first.
    halves = sent.reshape(len(near), -1)[:, _HEAD:].copy().view(">f2")
    return normalised(halves.astype(np.float32))


def as_text(vector: Vectors) -> str:
    """As PostgreSQL reads it."""
    return str(HalfVector(vector).to_text())


def _run(
    template: str,
    vector: Vectors,
    model: EmbeddingModel,
    filters: Filters,
    parameters: dict[str, Any],
    *,
    sight: int,
) -> list[Any]:
    condition, given = filters.sql
    # Numbers of ours, for the planner must know whose index it may use. What people give is in parameters.
    statement = template.format(
        model=int(model.pk), dimension=int(model.dimension), joins=JOINS, condition=condition
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.ef_search', %s, true), set_config('hnsw.iterative_scan', 'strict_order', true)",
            [str(min(sight, _FARTHEST_SIGHT))],
        )
        return binary_rows(statement, given | parameters | {"vector": as_text(vector)})


# The index first, then what of it stands: joined at once, the planner would rather compare every passage.
_NAMED = """
    WITH near AS MATERIALIZED (
        SELECT passage_id, text_hash, vector::halfvec({dimension}) <=> %(vector)s AS distance
        FROM knowledge_embedding
        WHERE model_id = {model}
        ORDER BY vector::halfvec({dimension}) <=> %(vector)s
        LIMIT %(reach)s
    ), standing AS (
        SELECT passage.id, passage.part_id, near.distance
        FROM near
        JOIN knowledge_passage passage ON passage.id = near.passage_id AND passage.text_hash = near.text_hash
        JOIN knowledge_part part ON part.id = passage.part_id
        {joins}
        WHERE {condition}
        ORDER BY near.distance
        LIMIT %(limit)s
    )
    SELECT standing.id, standing.part_id, 1 - standing.distance, named.number
    FROM (SELECT count(*) AS number FROM near) named
    LEFT JOIN standing ON true
    ORDER BY standing.distance
"""
# The last but one says whether the index named the passage.
_CANDIDATES = """
    WITH near AS MATERIALIZED (
        SELECT passage_id, text_hash
        FROM knowledge_embedding
        WHERE model_id = {model}
        ORDER BY vector::halfvec({dimension}) <=> %(vector)s
        LIMIT %(reach)s
    ), candidate AS MATERIALIZED (
        SELECT passage.part_id AS id
        FROM near
        JOIN knowledge_passage passage ON passage.id = near.passage_id AND passage.text_hash = near.text_hash
        UNION
        SELECT unnest(%(parts)s::bigint[])
    ), found AS (
        SELECT passage.id, passage.part_id, passage.position, stored.vector::halfvec({dimension}) <=> %(vector)s AS distance,
               stored.vector, near.passage_id IS NOT NULL AS is_near
        FROM candidate
        JOIN knowledge_part part ON part.id = candidate.id
        JOIN knowledge_passage passage ON passage.part_id = part.id
        LEFT JOIN knowledge_embedding stored ON stored.passage_id = passage.id AND stored.model_id = {model}
            AND stored.text_hash = passage.text_hash
        LEFT JOIN near ON near.passage_id = stored.passage_id
        {joins}
        WHERE {condition}
    )
    SELECT found.id, found.part_id, 1 - found.distance, named.number, coalesce(found.is_near, false), found.vector
    FROM (SELECT count(*) AS number FROM near) named
    LEFT JOIN found ON true
    ORDER BY found.part_id, found.position
"""
_COMPARED = """
    SELECT id, part_id, 1 - distance
    FROM (
        SELECT passage.id, passage.part_id, near.vector::halfvec({dimension}) <=> %(vector)s AS distance
        FROM knowledge_embedding near
        JOIN knowledge_passage passage ON passage.id = near.passage_id AND passage.text_hash = near.text_hash
        JOIN knowledge_part part ON part.id = passage.part_id
        {joins}
        WHERE near.model_id = {model} AND {condition}
        OFFSET 0
    ) compared
    ORDER BY distance
    LIMIT %(limit)s
"""
_OF_PARTS = """
    SELECT passage.id, passage.part_id, 1 - (near.vector::halfvec({dimension}) <=> %(vector)s), near.vector
    FROM knowledge_part part
    JOIN knowledge_passage passage ON passage.part_id = part.id
    LEFT JOIN knowledge_embedding near ON near.passage_id = passage.id AND near.model_id = {model}
        AND near.text_hash = passage.text_hash
    {joins}
    WHERE part.id = ANY(%(parts)s::bigint[]) AND {condition}
    ORDER BY passage.part_id, passage.position
"""
