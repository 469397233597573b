"""Asks arXiv for papers when too little is found here. What it gives is stored like any paper and has to be similar enough, too."""

from dataclasses import dataclass

from jobs.context import ActiveRun
from knowledge import connectors, ingest, spaces, vectors
from knowledge.answers.terms import ASKING
from knowledge.connectors import Query
from knowledge.errors import ConnectorError
from knowledge.rates import Attendance
from knowledge.records import Record
from knowledge.search.words import words

CONNECTOR = "arxiv"
#: Papers that are asked for, and words of the question that are sent.
MOST_PAPERS, _MOST_WORDS = 10, 8


@dataclass(frozen=True)
class Fetched:
    """What arXiv gave."""

    #: Papers it found, and those of them that were new here.
    found: int = 0
    new: int = 0
    #: Why it could not be asked; "" if it could.
    problem: str = ""


def fetch(run: ActiveRun, question: str) -> Fetched:
    """Store the papers that arXiv finds for the words of a question, with vectors.

    A source that cannot be asked is no reason to give no answer: it is told in what comes back. Raises EmbedderUnavailable,
    EmbedderRefused.
    """
    asked = _words_of(question)
    if not asked:
        return Fetched(problem="The question has no word that arXiv could be asked for.")
    try:
        records = _records(run, " OR ".join(asked))
    except ConnectorError as error:
        return Fetched(problem=str(error))
    stored = ingest.store(records)
    _embed([one.paper.pk for one in stored if one.paper is not None])
    new = sum(one.result == ingest.Result.NEW for one in stored)
    run.log(f"arXiv gave {len(records)} papers for {', '.join(asked)}; {new} are new.")
    return Fetched(len(records), new)


def _words_of(question: str) -> list[str]:
    """The telling words, the longest first: they are the rarest."""
    telling = [word for word, _, _ in words(question) if word not in ASKING and len(word) > 1]
    return sorted(dict.fromkeys(telling), key=lambda word: -len(word))[:_MOST_WORDS]


def _records(run: ActiveRun, text: str) -> list[Record]:
    query = Query(text, max_results=MOST_PAPERS, order="relevance")
    batches = connectors.get(CONNECTOR).batches(query, attendance=Attendance(run.check, run.log))
    return [record for batch in batches for record in batch.records][:MOST_PAPERS]


def _embed(papers: list[int]) -> None:
    """Vectors for the passages of these papers; others may wait."""
    model = spaces.live()
    if model is None or not papers:
        return
    passages = list(spaces.without_vector(model).filter(part__paper__in=papers).select_related("part"))
    if passages:
        vectors.embed(passages, spaces.embedder_of(model.name), model)
