"""Models whose vectors are stored, each with an index of its own, and which of them the search asks."""

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from knowledge import embedding
from knowledge.embedding import Embedder
from knowledge.errors import KnowledgeError
from knowledge.models import Embedding, EmbeddingModel, KnowledgePolicy, Passage

#: Neighbours of each vector in the index, and how many are looked at when one is added.
LINKS, CARE = 16, 128


class NotComplete(KnowledgeError):
    """Some passages have no vector of the model yet."""


def of(embedder: Embedder) -> EmbeddingModel:
    """The row of an embedder's model, made with its index if it is new. The first model of all is live at once.

    Raises EmbedderRefused when the embedder is not set up, or its vectors have another length than those stored.
    """
    space = embedder.space()
    with transaction.atomic():
        _one_at_a_time()
        is_first = not EmbeddingModel.objects.filter(state=EmbeddingModel.State.LIVE).exists()
        model, is_new = EmbeddingModel.objects.get_or_create(
            name=space.name,
            defaults={
                "dimension": space.dimension,
                "state": EmbeddingModel.State.LIVE if is_first else EmbeddingModel.State.BUILDING,
            },
        )
        if model.dimension != space.dimension:
            raise embedding.EmbedderRefused(
                f"Vectors of {space.name} have {model.dimension} numbers here, not {space.dimension}."
            )
        if is_new:
            create_index(model)
    return model


def live() -> EmbeddingModel | None:
    """The model that the search asks; None before there are vectors."""
    return EmbeddingModel.objects.filter(state=EmbeddingModel.State.LIVE).first()


def embedder_of(name: str) -> Embedder:
    """Who makes vectors of queries for the model of that name. Raises EmbedderRefused when nobody here can."""
    embedder = embedding.get(name.partition(":")[0])
    if reason := embedder.why_not():
        raise embedding.EmbedderRefused(f"The vectors are of {name}. {reason}")
    if embedder.space().name != name:
        raise embedding.EmbedderRefused(f"The vectors are of {name}, but {embedder.space().name} is set up.")
    return embedder


def current_embedder() -> Embedder:
    """Who makes vectors of new passages: whoever made those that the search asks; at first whom the policy names.

    Raises EmbedderRefused when that one is not set up, UnknownEmbedder when it is gone.
    """
    asked = live()
    return embedder_of(asked.name) if asked is not None else embedding.get(KnowledgePolicy.current().embedder)


def missing(model: EmbeddingModel) -> int:
    """How many passages have no vector of the model, or one of another text."""
    return without_vector(model).count()


def go_live(model: EmbeddingModel) -> None:
    """Let the search ask this model from now on. Raises NotComplete while vectors are missing."""
    with transaction.atomic():
        _one_at_a_time()
        if lacking := missing(model):
            raise NotComplete(f"{lacking} passages have no vector of {model} yet.")
        live_now = EmbeddingModel.objects.filter(state=EmbeddingModel.State.LIVE).exclude(pk=model.pk)
        live_now.update(state=EmbeddingModel.State.RETIRED)
        EmbeddingModel.objects.filter(pk=model.pk).update(state=EmbeddingModel.State.LIVE)
    model.refresh_from_db()


def drop(model: EmbeddingModel) -> None:
    """Forget a model with its vectors and its index; not the live one (ValueError)."""
    with transaction.atomic(), connection.cursor() as cursor:
        _one_at_a_time()
        model.refresh_from_db()
        if model.state == EmbeddingModel.State.LIVE:
            raise ValueError(f"The search asks {model}: let another model go live first.")
        _check_now()
        cursor.execute(f"DROP INDEX IF EXISTS {index_name(model)}")
        cursor.execute("DELETE FROM knowledge_embedding WHERE model_id = %s", [model.pk])
        model.delete()


def create_index(model: EmbeddingModel) -> None:
    """The index over the model's vectors; while it is made, nobody can store vectors."""
    _check_now()
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE INDEX IF NOT EXISTS {index_name(model)} ON knowledge_embedding"
            f" USING hnsw ((vector::halfvec({model.dimension})) halfvec_cosine_ops)"
            f" WITH (m = {LINKS}, ef_construction = {CARE}) WHERE model_id = {model.pk}"
        )


def drop_index(model: EmbeddingModel) -> None:
    """For loading many vectors at once: make it again afterwards."""
    _check_now()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {index_name(model)}")


def without_vector(model: EmbeddingModel) -> QuerySet[Passage]:
    """Passages to be embedded, in the order in which they were made."""
    current = Embedding.objects.filter(passage=OuterRef("pk"), model=model, text_hash=OuterRef("text_hash"))
    return Passage.objects.filter(~Exists(current)).order_by("pk")


def index_name(model: EmbeddingModel) -> str:
    return f"knowledge_near_{model.pk}"


def _check_now() -> None:
    """Make the checks that wait for the transaction's end: no index is made or dropped while a table waits for any."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [0x616C6D61_6E616332])
