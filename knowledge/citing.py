"""Papers as files for other programs: JSON Lines, CSV, BibTeX and RIS, written one by one."""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from knowledge.models import Paper
from knowledge.research_export import cell
from knowledge.standing import author_of, citation_name, names_of_authors, printed_date

#: Papers that are read at once.
_BATCH = 200
_COLUMNS = (
    "id", "doi", "pmid", "pmcid", "arxiv_id", "title", "authors", "journal", "published", "year", "types", "categories",
    "languages", "keywords", "sources", "is_retracted", "is_corrected", "is_doubted", "url", "abstract",
)  # fmt: skip
#: What means something to TeX.
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "^": r"\^{}", "_": r"\_",
    "~": r"\~{}", "%": r"\%",
}  # fmt: skip
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9]+")


def papers_as(kind: str, papers: QuerySet[Paper]) -> Iterator[str]:
    """The papers in one of `KINDS`, by id; text that can be written as it comes."""
    return _KINDS[kind](papers.order_by("pk").iterator(chunk_size=_BATCH))


def _json_lines(papers: Iterable[Paper]) -> Iterator[str]:
    for paper in papers:
        yield json.dumps(_row(paper), cls=DjangoJSONEncoder, ensure_ascii=False) + "\n"


def _csv(papers: Iterable[Paper]) -> Iterator[str]:
    yield _line(list(_COLUMNS))
    for paper in papers:
        row = _row(paper)
        yield _line(
            [cell("; ".join(row[name]) if isinstance(row[name], list) else row[name]) for name in _COLUMNS]
        )


def _line(values: list[Any]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(values)
    return out.getvalue()


def _row(paper: Paper) -> dict[str, Any]:
    said = {name: getattr(paper, name) for name in _COLUMNS if hasattr(paper, name)}
    return {
        **said,
        "authors": names_of_authors(paper),
        "published": printed_date(paper),
        "abstract": paper.abstract_text,
    }


def _bibtex(papers: Iterable[Paper]) -> Iterator[str]:
    for paper in papers:
        lines = ",\n".join(f"  {name} = {{{text}}}" for name, text in _bibtex_fields(paper) if text)
        yield f"@{'article' if paper.journal else 'misc'}{{{_key(paper)},\n{lines}\n}}\n\n"


def _bibtex_fields(paper: Paper) -> Iterator[tuple[str, str]]:
    details = paper.details
    yield "title", "{" + _tex(paper.title) + "}"  # braces keep its capitals
    yield "author", " and ".join(_bibtex_author(stored) for stored in paper.authors)
    yield "journal", _tex(paper.journal)
    yield "year", str(paper.year or "")
    yield "volume", _tex(str(details.get("volume", "")))
    yield "number", _tex(str(details.get("issue", "")))
    yield "pages", _tex(str(details.get("pages", ""))).replace("-", "--")
    yield "issn", _tex(str(details.get("issn", "")))
    yield "doi", _tex(paper.doi)
    if paper.arxiv_id:
        yield "eprint", _tex(paper.arxiv_id)
        yield "archiveprefix", "arXiv"
    yield "pmid", paper.pmid
    yield "url", _tex(paper.url)
    yield "abstract", _tex(" ".join(paper.abstract_text.split()))
    yield "note", "Retracted." if paper.is_retracted else ""


def _bibtex_author(stored: dict[str, str]) -> str:
    author = author_of(stored)
    if author.collective:
        return "{" + _tex(author.collective) + "}"  # braces keep its words together
    parts = [author.family, author.suffix, author.given or author.initials]
    return ", ".join(_tex(part) for part in parts if part)


def _key(paper: Paper) -> str:
    """Unique for each paper, in letters and digits: lovelace2024-7."""
    first = author_of(paper.authors[0]) if paper.authors else None
    name = _ascii((first.family or first.collective) if first else "").lower() or "paper"
    return f"{name[:30]}{paper.year or ''}-{paper.pk}"


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NOT_IN_KEYS.sub("", plain)


def _tex(text: str) -> str:
    return "".join(_TEX.get(sign, sign) for sign in text if sign >= " ")


def _ris(papers: Iterable[Paper]) -> Iterator[str]:
    for paper in papers:
        lines = [f"{tag}  - {text}" for tag, text in _ris_fields(paper) if text]
        yield "\r\n".join([*lines, "ER  - ", "", ""])


def _ris_fields(paper: Paper) -> Iterator[tuple[str, str]]:
    details = paper.details
    first, _, last = str(details.get("pages", "")).partition("-")
    yield "TY", "JOUR" if paper.journal else "GEN"
    yield "TI", _one_line(paper.title)
    for stored in paper.authors:
        author = author_of(stored)
        parts = [author.family, author.given or author.initials, author.suffix]
        yield "AU", _one_line(author.collective or ", ".join(part for part in parts if part))
    yield "JO", _one_line(paper.journal)
    yield "PY", str(paper.year or "")
    yield "DA", printed_date(paper).replace("-", "/")
    yield "VL", _one_line(str(details.get("volume", "")))
    yield "IS", _one_line(str(details.get("issue", "")))
    yield "SP", _one_line(first)
    yield "EP", _one_line(last)
    yield "SN", _one_line(str(details.get("issn", "")))
    yield "DO", _one_line(paper.doi)
    yield "AN", citation_name(paper)
    yield "UR", _one_line(paper.url)
    yield "AB", _one_line(paper.abstract_text)
    for keyword in paper.keywords:
        yield "KW", _one_line(keyword)
    yield "N1", "Retracted." if paper.is_retracted else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


_KINDS: dict[str, Callable[[Iterable[Paper]], Iterator[str]]] = {
    "jsonl": _json_lines,
    "csv": _csv,
    "bibtex": _bibtex,
    "ris": _ris,
}
KINDS = list(_KINDS)
