"""Making the vectors that are missing, and storing each with the text that it is of."""

from collections.abc import Generator, Sequence

from django.db import connection, transaction
from pgvector import HalfVector

from knowledge import spaces
from knowledge.embedding import Embedder
from knowledge.models import EmbeddingModel, Passage
from knowledge.texts import embedded_text, hash_of

#: Passages of one transaction: so many are lost at most when a worker is killed.
BATCH = 256


def embed_missing(embedder: Embedder, *, batch: int = BATCH) -> Generator[int, None, None]:
    """Make the vectors that the embedder's model lacks; gives how many were stored after each batch.

    Can be broken off anywhere and called again, also by several at once: what is stored is not made again.
    Raises EmbedderUnavailable, EmbedderRefused.
    """
    model = spaces.of(embedder)
    after = 0
    while True:
        passages = list(
            spaces.without_vector(model).filter(pk__gt=after).select_related("part").order_by("pk")[:batch]
        )
        if not passages:
            return
        after = passages[-1].pk
        yield embed(passages, embedder, model)


def embed(passages: Sequence[Passage], embedder: Embedder, model: EmbeddingModel) -> int:
    """Make and store the vectors of these passages; how many were stored. Those that are gone by then are not."""
    texts = [embedded_text(passage.part.title, passage.text) for passage in passages]
    vectors = embedder.embed(texts)
    if vectors.shape != (len(texts), model.dimension):
        raise ValueError(f"{len(texts)} texts gave vectors of shape {vectors.shape}")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            {
                "model": model.pk,
                "ids": [passage.pk for passage in passages],
                "hashes": [hash_of(text) for text in texts],
                "vectors": [HalfVector(vector).to_text() for vector in vectors],
            },
        )
        return int(cursor.rowcount)


# Only where the passage still has the text; its row is held until the vector is stored.
_STORE = """
    WITH found AS (
        SELECT passage.id, passage.text_hash, made.vector
        FROM unnest(%(ids)s::bigint[], %(hashes)s::text[], %(vectors)s::text[]) AS made (id, text_hash, vector)
        JOIN knowledge_passage passage ON passage.id = made.id AND passage.text_hash = made.text_hash
        FOR KEY SHARE OF passage
    )
    INSERT INTO knowledge_embedding (model_id, passage_id, text_hash, vector)
    SELECT %(model)s, id, text_hash, vector::halfvec FROM found
    ON CONFLICT (passage_id, model_id) DO UPDATE SET text_hash = excluded.text_hash, vector = excluded.vector
"""
