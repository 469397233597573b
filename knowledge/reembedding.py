"""Changing the model: all vectors are made by another one, while the search goes on asking the one it has."""

from dataclasses import dataclass, field

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from jobs import audit
from jobs.context import ActiveRun
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, TransientError
from jobs.models import JobRun
from knowledge import embedding, spaces, vectors
from knowledge.embedding import Embedder, EmbedderRefused
from knowledge.errors import KnowledgeError
from knowledge.models import EmbeddingModel, KnowledgePolicy, Passage

JOB = "knowledge.reembed"
#: Passages come in while vectors are made: so often it is tried to be done with all of them.
_ROUNDS = 10

State = EmbeddingModel.State


class NeverComplete(KnowledgeError, TransientError):
    """Later: passages come in faster than vectors are made."""


@dataclass
class Reembedded:
    """What was done."""

    model: str
    dimension: int
    passages: int
    #: Vectors that were made now; the others were there.
    embedded: int
    #: Whether the search asks it now.
    is_live: bool
    #: Models that are gone with their vectors.
    dropped: list[str] = field(default_factory=list)


def reembed(run: ActiveRun, kind: str, *, should_go_live: bool, drop_retired: bool) -> Reembedded:
    """Make all vectors that an embedder's model lacks, and let the search ask it only once none is missing.

    Can be killed anywhere and run again: what is stored is not made again.
    """
    embedder = usable(kind)
    model = spaces.of(embedder)
    run.log(f"Model {model}: {spaces.missing(model):,} passages have no vector.")
    run.step("Making vectors")
    made = _make_all(run, embedder, model, should_go_live)
    if should_go_live:
        use_for_new(kind)
    model.refresh_from_db()
    dropped = _drop_retired() if should_go_live and drop_retired else []
    return Reembedded(
        model.name, model.dimension, Passage.objects.count(), made, model.state == State.LIVE, dropped
    )


def known(kind: str) -> str:
    """The kind, if there is such an embedder; raises ValueError."""
    if kind not in embedding.kinds():
        raise ValueError(f"There is no embedder of that name; known: {', '.join(embedding.kinds())}.")
    return kind


def usable(kind: str) -> Embedder:
    """The embedder of a kind that works here. Raises EmbedderRefused."""
    try:
        embedder = embedding.get(kind)
    except embedding.UnknownEmbedder as error:
        raise EmbedderRefused(str(error)) from error
    if reason := embedder.why_not():
        raise EmbedderRefused(reason)
    return embedder


def start(
    kind: str,
    *,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    should_go_live: bool = True,
    drop_retired: bool = False,
) -> JobRun:
    """Queue a run that makes all vectors with an embedder. Raises EmbedderRefused when it does not work here."""
    usable(kind)
    parameters = {"embedder": kind, "go_live": should_go_live, "drop_retired": drop_retired}
    return enqueue(get_job(JOB), parameters, trigger=trigger, requested_by=by)


@transaction.atomic
def go_live(model: EmbeddingModel, *, by: AbstractBaseUser | None) -> None:
    """Let the search ask this model. Raises IllegalState while vectors are missing, or nobody makes those of queries."""
    try:
        spaces.embedder_of(model.name)
        spaces.go_live(model)
    except (spaces.NotComplete, embedding.EmbeddingError) as error:
        raise IllegalState(str(error)) from error
    use_for_new(kind_of(model))
    audit.record(by, model, "Went live: the search asks it.")


@transaction.atomic
def drop(model: EmbeddingModel, *, by: AbstractBaseUser | None) -> None:
    """Forget a model with its vectors. Raises IllegalState for the one that the search asks."""
    audit.record(by, model, "Dropped with its vectors.", action=audit.DELETION)
    try:
        spaces.drop(model)
    except ValueError as error:
        raise IllegalState(str(error)) from error


def kind_of(model: EmbeddingModel) -> str:
    """The embedder behind a model."""
    return model.name.partition(":")[0]


def use_for_new(kind: str) -> None:
    """New passages get vectors of the model that the search asks."""
    KnowledgePolicy.objects.filter(pk=KnowledgePolicy.current().pk).update(embedder=kind)


def _make_all(run: ActiveRun, embedder: Embedder, model: EmbeddingModel, should_go_live: bool) -> int:
    made = 0
    for _ in range(_ROUNDS):
        made += _make(run, embedder, model)
        if not should_go_live:
            return made
        try:
            spaces.go_live(model)
        except spaces.NotComplete as error:
            run.log(f"{error} They came in meanwhile.")
        else:
            return made
    raise NeverComplete("Passages come in faster than vectors are made. Try again when fewer papers come in.")


def _make(run: ActiveRun, embedder: Embedder, model: EmbeddingModel) -> int:
    total = Passage.objects.count()
    there = total - spaces.missing(model)
    made = 0
    run.report(there, total, f"Making vectors of {model}")
    for count in vectors.embed_missing(embedder):
        made += count
        run.report(min(there + made, total), total)
    return made


def _drop_retired() -> list[str]:
    dropped = []
    for model in EmbeddingModel.objects.filter(state=State.RETIRED).order_by("pk"):
        dropped.append(model.name)
        spaces.drop(model)
    return dropped
