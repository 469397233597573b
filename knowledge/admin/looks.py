"""Papers as people see them: names, dates, labels and links, always as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlsplit

from django.utils import timezone

from knowledge import connectors
from knowledge.chunking import Span
from knowledge.models import KnowledgePolicy, Paper
from knowledge.records import Author, Precision
from knowledge.search.highlights import highlights
from knowledge.search.words import terms

#: Authors that a short line names.
NAMED = 3
_FORMATS = {
    Precision.YEAR: "{0:%Y}",
    Precision.MONTH: "{0:%b} {0:%Y}",
    Precision.DAY: "{0.day} {0:%b} {0:%Y}",
}


@dataclass(frozen=True)
class Label:
    """A badge: a symbol, a word and a tone, never a tone alone."""

    text: str
    icon: str
    tone: str
    #: What it means, in a sentence.
    title: str = ""


@dataclass(frozen=True)
class Link:
    """Where a paper is found elsewhere."""

    name: str
    text: str
    url: str


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `is_marked` where a word of the query stands."""

    text: str
    is_marked: bool


# Words


def pieces(text: str, spans: Sequence[Span]) -> list[Piece]:
    """The text cut where words of the query begin and end."""
    found, at = [], 0
    for span in spans:
        if span.start > at:
            found.append(Piece(text[at : span.start], False))
        found.append(Piece(text[span.start : span.end], True))
        at = span.end
    return [*found, Piece(text[at:], False)] if at < len(text) else found


def marked(text: str, query: str) -> list[Piece]:
    """The text with the words of a query marked."""
    return pieces(text, highlights(text, frozenset(terms(query))) if query else [])


# People and dates


def authors(paper: Paper) -> list[Author]:
    """Whoever signed it, in order; entries that say nothing are left out."""
    fields = ("family", "given", "initials", "suffix", "collective", "orcid")
    found = (
        Author(
            **{name: str(one.get(name) or "") for name in fields},
            affiliations=tuple(one.get("affiliations") or ()),
        )
        for one in paper.authors
        if isinstance(one, Mapping)
    )
    return [author for author in found if author.name]


def in_short(people: Sequence[Author]) -> str:
    """ "Lovelace AB, Curie M, Noether E and 4 more"."""
    names = [author.short_name or author.name for author in people]
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def published(paper: Paper) -> str:
    """When it was published, as precisely as that is known: "12 Mar 2024", "Mar 2024", "2000 Nov-Dec"; "" if unknown."""
    if paper.published_text:
        return paper.published_text
    if paper.published_on is None:
        return str(paper.year or "")
    return dated(paper.published_on, paper.published_precision)


def dated(day: date, precision: str = Precision.DAY) -> str:
    """A day of which perhaps only the year or the month is known."""
    return _FORMATS[Precision(precision or Precision.DAY)].format(day)


# What to know before relying on it


def outdated_before() -> int:
    """Papers of earlier years are marked as outdated."""
    policy = KnowledgePolicy.objects.only("outdated_after_years").first() or KnowledgePolicy()
    return timezone.now().year - policy.outdated_after_years


def is_preprint(paper: Paper) -> bool:
    """Whether no journal has reviewed it, as far as its record says."""
    if any("preprint" in kind.lower() for kind in paper.types):
        return True
    return bool(paper.arxiv_id) and not (paper.journal or paper.pmid)


def labels(paper: Paper, outdated: int) -> list[Label]:
    """The gravest first. `outdated` is `outdated_before()`, asked once for many papers."""
    found = [
        (paper.is_retracted, Label("Retracted", "block", "bad", "It was withdrawn: do not rely on it.")),
        (
            paper.is_doubted,
            Label("Concern", "report", "bad", "Its journal has published an expression of concern."),
        ),
        (paper.is_corrected, Label("Corrected", "edit_note", "warn", "A notice corrects a part of it.")),
        (is_preprint(paper), Label("Preprint", "draft", "warn", "No journal has reviewed it yet.")),
        (paper.is_notice, Label("Notice", "campaign", "calm", "It only says something about another paper.")),
        (
            paper.year is not None and paper.year < outdated,
            Label("Outdated", "history", "calm", f"Published before {outdated}: newer evidence may differ."),
        ),
    ]
    return [label for applies, label in found if applies]


# Where it is


def source_name(kind: str) -> str:
    """A connector's label; its name when it is not installed any more."""
    return dict(connectors.choices()).get(kind, kind)


def source_names(kinds: Iterable[str]) -> str:
    return ", ".join(source_name(kind) for kind in kinds)


def links(paper: Paper) -> list[Link]:
    """Its identifiers with their addresses, then what its record says where it is."""
    known = [
        ("DOI", paper.doi, "https://doi.org/{}"),
        ("PubMed", paper.pmid, "https://pubmed.ncbi.nlm.nih.gov/{}/"),
        ("PMC", paper.pmcid, "https://pmc.ncbi.nlm.nih.gov/articles/{}/"),
        ("arXiv", paper.arxiv_id, "https://arxiv.org/abs/{}"),
    ]
    found = [
        Link(name, value, address.format(quote(value, safe="/"))) for name, value, address in known if value
    ]
    for name, address in (("Page", paper.url), ("PDF", paper.pdf_url)):
        if is_web_address(address) and address not in {link.url for link in found}:
            found.append(Link(name, urlsplit(address).hostname or address, address))
    return found


def is_web_address(address: str) -> bool:
    """Whether it can be linked to; records come from outside."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


# How to cite it


def reference(paper: Paper) -> str:
    """A reference in one line, as Vancouver style has it."""
    details: Mapping[str, Any] = paper.details if isinstance(paper.details, Mapping) else {}
    people = authors(paper)
    names = ", ".join(author.short_name for author in people[:6]) + (", et al" if len(people) > 6 else "")
    volume = str(details.get("volume") or "")
    issue = f"({details['issue']})" if details.get("issue") else ""
    pages = f":{details['pages']}" if details.get("pages") else ""
    where = f"{paper.year or ''}{';' if volume else ''}{volume}{issue}{pages}"
    address = f"doi:{paper.doi}" if paper.doi else f"PMID {paper.pmid}" if paper.pmid else ""
    if not address and paper.arxiv_id:
        address = f"arXiv:{paper.arxiv_id}" + (f"v{paper.version}" if paper.version else "")
    parts = [names, paper.title.rstrip("."), paper.journal, where, address]
    text = ". ".join(part.strip() for part in parts if part.strip())
    return f"RETRACTED: {text}." if paper.is_retracted else f"{text}."


def bibtex(paper: Paper) -> str:
    """An entry of BibTeX; what would end or open a group there is escaped."""
    details: Mapping[str, Any] = paper.details if isinstance(paper.details, Mapping) else {}
    people = authors(paper)
    fields = {
        "title": paper.title,
        "author": " and ".join(_bibtex_name(author) for author in people),
        "journal": paper.journal,
        "year": str(paper.year or ""),
        "volume": str(details.get("volume") or ""),
        "number": str(details.get("issue") or ""),
        "pages": str(details.get("pages") or "").replace("-", "--"),
        "doi": paper.doi,
        "pmid": paper.pmid,
        "eprint": paper.arxiv_id,
        "archiveprefix": "arXiv" if paper.arxiv_id else "",
        "note": "Retracted" if paper.is_retracted else "",
    }
    kind = "article" if paper.journal else "misc"
    lines = [
        f"  {name} = {{{value if name == 'author' else _escaped(value)}}}"
        for name, value in fields.items()
        if value
    ]
    return f"@{kind}{{{_key(paper, people)},\n" + ",\n".join(lines) + "\n}"


def _bibtex_name(author: Author) -> str:
    if author.collective:
        return f"{{{_escaped(author.collective)}}}"
    given = author.given or author.initials
    return ", ".join(_escaped(part) for part in (author.family, author.suffix, given) if part)


_SPECIAL = str.maketrans(
    {char: f"\\{char}" for char in "{}&%$#_"} | {"\\": "\\textbackslash{}", "~": "\\~{}", "^": "\\^{}"}
)


def _escaped(text: str) -> str:
    return " ".join(text.translate(_SPECIAL).split())


def _key(paper: Paper, people: Sequence[Author]) -> str:
    name = (people[0].family or people[0].collective) if people else ""
    plain = "".join(char for char in name.lower() if char.isascii() and char.isalnum())
    return f"{plain or 'paper'}{paper.year or ''}-{paper.pk}"
