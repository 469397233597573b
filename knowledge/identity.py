"""How papers are known to be the same: by what names them for ever, else by title, year and first author."""

import dataclasses
import re
import unicodedata
from collections.abc import Iterable, Mapping

from knowledge.models.paper import IDENTIFIERS
from knowledge.records import Author, Record
from knowledge.texts import hash_of

#: What names a paper, strongest first, as people write it.
LABELS = {"doi": "DOI", "pmid": "PMID", "pmcid": "PMCID", "arxiv_id": "arXiv id"}
#: Shorter titles ("Reply", "Editorial comment") are those of too many papers.
SHORTEST_TITLE = 20

_ARXIV_DOI = re.compile(r"10\.48550/arxiv\.(?P<id>.+?)(?:v\d+)?")
_WORD = re.compile(r"[^\W_]+")

#: Values by the name of the identifier.
Identifiers = Mapping[str, str]


def normalised(record: Record) -> Record:
    """The record, with the DOI that arXiv gives every preprint written as what it says: its arXiv id."""
    match = _ARXIV_DOI.fullmatch(record.doi)
    if match is None:
        return record
    return dataclasses.replace(record, doi="", arxiv_id=record.arxiv_id or match["id"])


def identifiers(record: Record, left_out: Iterable[str] = ()) -> dict[str, str]:
    """What names the paper, strongest first; without those that are left out."""
    ignored = set(left_out)
    found = {name: getattr(record, name) for name in IDENTIFIERS if name not in ignored}
    return {name: value for name, value in found.items() if value}


def title_key(record: Record) -> str:
    """The same for one paper at all sources; "" when title, year or first author say too little."""
    title = _plain(record.title)
    author = _plain(_first_name(record.authors))
    if len(title) < SHORTEST_TITLE or not author or record.year is None:
        return ""
    return hash_of(f"{title}\n{record.year}\n{author}")


def clashes(one: Identifiers, other: Identifiers) -> list[str]:
    """The identifiers by which two descriptions cannot be of one paper, strongest first."""
    return [name for name in IDENTIFIERS if name in one and name in other and one[name] != other[name]]


def _first_name(authors: tuple[Author, ...]) -> str:
    return (authors[0].family or authors[0].collective) if authors else ""


def _plain(text: str) -> str:
    """Words without accents, case and punctuation."""
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return " ".join(_WORD.findall(bare.casefold()))
