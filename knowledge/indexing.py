"""Keeps parts, passages and the word index as papers and documents are. Vectors follow: `knowledge.vectors`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet
from pgvector import HalfVector

from knowledge.chunking import Mode
from knowledge.models import Document, Embedding, Paper, Part, Passage
from knowledge.search import sparse
from knowledge.texts import Text, embedded_text, hash_of, parts_of_document, parts_of_paper


@dataclass(frozen=True)
class Indexed:
    """What was done."""

    #: Papers and documents whose parts were made new.
    changed: int
    #: Passages that wait for their vectors; those whose text was there before have kept theirs.
    passages: int


def index_papers(papers: Iterable[Paper], mode: Mode = Mode.BALANCED) -> Indexed:
    """Make the parts and passages of papers whose text is new or has changed; the others are left alone."""
    return _index([(Part(paper=paper), parts_of_paper(paper, mode)) for paper in papers])


def index_documents(documents: Iterable[Document], mode: Mode = Mode.BALANCED) -> Indexed:
    """The same for documents."""
    return _index([(Part(document=document), parts_of_document(document, mode)) for document in documents])


def _index(owners: list[tuple[Part, list[Text]]]) -> Indexed:
    """All or nothing, in one transaction with whatever the caller does; a `Part` stands for whom its parts belong to."""
    with transaction.atomic():
        there = _hashes([owner for owner, _ in owners])
        changed = [
            (owner, texts)
            for owner, texts in owners
            if there.get(_key(owner), []) != [text.text_hash for text in texts]
        ]
        old = [owner for owner, _ in changed if _key(owner) in there]
        kept = _vectors(old)
        _parts_of(old).delete()
        made = [
            (
                Part(
                    paper_id=owner.paper_id,
                    document_id=owner.document_id,
                    number=text.number,
                    title=text.title,
                    text=text.text,
                    text_hash=text.text_hash,
                ),
                text,
            )
            for owner, texts in changed
            for text in texts
        ]
        parts = Part.objects.bulk_create([part for part, _ in made], batch_size=500)
        passages = [
            passage for part, (_, text) in zip(parts, made, strict=True) for passage in _passages(part, text)
        ]
        Passage.objects.bulk_create(passages, batch_size=1000)
        again = [
            Embedding(
                passage=passage,
                model_id=model,
                text_hash=passage.text_hash,
                vector=kept[passage.text_hash][model],
            )
            for passage in passages
            for model in kept.get(passage.text_hash, {})
        ]
        Embedding.objects.bulk_create(again, batch_size=500)
        sparse.add(parts)
    return Indexed(
        len(changed), len({passage.pk for passage in passages} - {one.passage_id for one in again})
    )


def _vectors(owners: list[Part]) -> dict[str, dict[int, HalfVector]]:
    """The vectors that there are, by the hash of their text and the model: what stays as it was keeps them."""
    found: dict[str, dict[int, HalfVector]] = defaultdict(dict)
    rows = Embedding.objects.filter(passage__part__in=_parts_of(owners))
    for text_hash, model, vector in rows.values_list("text_hash", "model_id", "vector"):
        found[text_hash][model] = vector
    return found


def _parts_of(owners: list[Part]) -> QuerySet[Part]:
    papers = [owner.paper_id for owner in owners if owner.paper_id is not None]
    documents = [owner.document_id for owner in owners if owner.document_id is not None]
    return Part.objects.filter(Q(paper__in=papers) | Q(document__in=documents))


def _hashes(owners: list[Part]) -> dict[tuple[int | None, int | None], list[str]]:
    """Of the parts that there are, in their order, by whom they belong to."""
    found: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    for part in _parts_of(owners).only("paper", "document", "text_hash").order_by("number"):
        found[_key(part)].append(part.text_hash)
    return dict(found)


def _key(part: Part) -> tuple[int | None, int | None]:
    return part.paper_id, part.document_id


def _passages(part: Part, text: Text) -> list[Passage]:
    return [
        Passage(
            part=part,
            position=position,
            start=span.start,
            end=span.end,
            text=span.of(text.text),
            text_hash=hash_of(embedded_text(text.title, span.of(text.text))),
        )
        for position, span in enumerate(text.spans)
    ]
