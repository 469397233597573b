"""An answer as people and programs see it: with what has become of the papers that it cites since."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from knowledge.models import Answer, Citation
from knowledge.search.filters import Retracted
from knowledge.standing import is_outdated, names_of_authors, oldest_current_year, printed_date

#: Stands with every answer.
NOT_ADVICE = (
    "This is no medical advice. It only says what the cited papers say; ask a doctor about your health."
)


@dataclass(frozen=True)
class ShownCitation:
    """What a number in an answer stands for."""

    number: int
    title: str
    #: The passage as it was read.
    quote: str
    #: None when the text has been cut anew since.
    passage_id: int | None
    paper_id: int | None
    document_id: int | None
    authors: tuple[str, ...] = ()
    journal: str = ""
    #: As precise as it is known, such as "2019-04"; "" if it is not.
    published: str = ""
    year: int | None = None
    doi: str = ""
    pmid: str = ""
    arxiv_id: str = ""
    url: str = ""
    is_retracted: bool = False
    #: The answer was given before it was retracted, and nobody should rely on it any more.
    is_retracted_since: bool = False
    is_corrected: bool = False
    is_doubted: bool = False
    is_outdated: bool = False

    @property
    def warnings(self) -> list[str]:
        """What a reader has to know of it, the gravest first."""
        retracted = "Retracted since this answer was given." if self.is_retracted_since else "Retracted."
        told = (
            (self.is_retracted, retracted),
            (self.is_doubted, "Its journal has published an expression of concern."),
            (self.is_corrected, "Corrected: read the notice, too."),
            (self.is_outdated, f"Outdated: it is of {self.year}."),
        )
        return [text for holds, text in told if holds]


@dataclass(frozen=True)
class ShownSentence:
    """A sentence, with the numbers of its citations; `support` is 1 for what is quoted word for word."""

    text: str
    numbers: tuple[int, ...]
    support: float
    #: Of what it cites, the gravest first.
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShownStatement:
    """What an expert said in a round; the synthesis has the round 0."""

    role: str
    round: int
    sentences: tuple[ShownSentence, ...]


@dataclass(frozen=True)
class Shown:
    """An answer with all that belongs to it."""

    answer: Answer
    is_answered: bool
    #: Why there is no answer; "" if there is one.
    reason: str
    sentences: tuple[ShownSentence, ...]
    citations: tuple[ShownCitation, ...]
    statements: tuple[ShownStatement, ...]
    #: What stands above all: papers that must not be relied on.
    warnings: tuple[str, ...]
    answered_at: datetime
    disclaimer: str = NOT_ADVICE

    @property
    def text(self) -> str:
        """The sentences with their numbers, such as "Aspirin helps. [1, 2]"; "" for a refusal."""
        return " ".join(
            f"{sentence.text} [{', '.join(map(str, sentence.numbers))}]" for sentence in self.sentences
        )


def shown(answer: Answer) -> Shown:
    """The answer as it is to be shown now. Takes two questions to the database."""
    oldest = oldest_current_year()
    excluded = answer.question.filters.get("retracted", Retracted.EXCLUDE.value) == Retracted.EXCLUDE.value
    rows = answer.citations.select_related("paper", "document")
    citations = tuple(_citation(row, oldest, was_standing=excluded) for row in rows)
    by_number = {citation.number: citation for citation in citations}
    return Shown(
        answer=answer,
        is_answered=answer.state == Answer.State.ANSWERED,
        reason=answer.reason,
        sentences=_sentences(answer.sentences, by_number),
        citations=citations,
        statements=tuple(
            ShownStatement(given["role"], given["round"], _sentences(given["sentences"], by_number))
            for given in answer.perspectives
        ),
        warnings=tuple(
            f"[{citation.number}] {citation.title}: {citation.warnings[0]}"
            for citation in citations
            if citation.is_retracted or citation.is_doubted
        ),
        answered_at=answer.answered_at,
    )


def _sentences(
    stored: list[dict[str, Any]], citations: dict[int, ShownCitation]
) -> tuple[ShownSentence, ...]:
    return tuple(
        ShownSentence(
            text=sentence["text"],
            numbers=tuple(sentence["numbers"]),
            support=sentence["support"],
            warnings=tuple(
                dict.fromkeys(
                    warning for number in sentence["numbers"] for warning in citations[number].warnings
                )
            ),
        )
        for sentence in stored
    )


def _citation(row: Citation, oldest: int, *, was_standing: bool) -> ShownCitation:
    year = row.paper.year if row.paper else row.document.year if row.document else None
    cited = ShownCitation(
        number=row.number,
        title=row.title,
        quote=row.quote,
        passage_id=row.passage_id,
        paper_id=row.paper_id,
        document_id=row.document_id,
        year=year,
        is_outdated=is_outdated(year, oldest),
    )
    paper = row.paper
    if paper is None:
        return cited
    return replace(
        cited,
        authors=tuple(names_of_authors(paper)),
        journal=paper.journal,
        published=printed_date(paper),
        doi=paper.doi,
        pmid=paper.pmid,
        arxiv_id=paper.arxiv_id,
        url=paper.url,
        is_retracted=paper.is_retracted,
        is_retracted_since=paper.is_retracted and was_standing,
        is_corrected=paper.is_corrected,
        is_doubted=paper.is_doubted,
    )
