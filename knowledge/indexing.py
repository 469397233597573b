"""Keeps parts, passages and the word index as papers and documents are. Vectors follow: `knowledge.vectors`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
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
        changed = [
            (owner, texts) for owner, texts in owners if _hashes(owner) != [text.text_hash for text in texts]
        ]
        kept = _vectors([owner for owner, _ in changed])
        for owner, _ in changed:
            _parts_of(owner).delete()
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
    for name in ("paper_id", "document_id"):
        ids = [getattr(owner, name) for owner in owners if getattr(owner, name) is not None]
        rows = (
            Embedding.objects.filter(**{f"passage__part__{name}__in": ids})
            if ids
            else Embedding.objects.none()
        )
        for text_hash, model, vector in rows.values_list("text_hash", "model_id", "vector"):
            found[text_hash][model] = vector
    return found


def _parts_of(owner: Part) -> QuerySet[Part]:
    return Part.objects.filter(paper=owner.paper, document=owner.document)


def _hashes(owner: Part) -> list[str]:
    return list(_parts_of(owner).order_by("number").values_list("text_hash", flat=True))


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
