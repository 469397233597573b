"""What readers must know of a paper: who, when, and whether it still holds."""

from datetime import date

from django.utils import timezone

from knowledge.models import KnowledgePolicy, Paper
from knowledge.records import Author, Precision

#: Stands with whatever is taken from papers.
DISCLAIMER = (
    "Search results from published literature, for information only. This is not medical advice: "
    "ask a physician about your health."
)
_DATE_LENGTH = {Precision.YEAR: 4, Precision.MONTH: 7, Precision.DAY: 10}


def oldest_current_year(today: date | None = None) -> int:
    """Papers of earlier years are outdated, by the policy."""
    today = today or timezone.now().date()
    return today.year - KnowledgePolicy.current().outdated_after_years


def is_outdated(year: int | None, oldest: int) -> bool:
    """Whether something of that year is outdated; what has no year is not known to be."""
    return year is not None and year < oldest


def names_of_authors(paper: Paper) -> list[str]:
    """For people to read, in order."""
    return [author_of(stored).name for stored in paper.authors]


def printed_date(paper: Paper) -> str:
    """The date of publication as far as it is known: 2024, 2024-05 or 2024-05-17; "" when it is not."""
    if paper.published_on is None:
        return str(paper.year) if paper.year else ""
    precision = Precision(paper.published_precision or Precision.DAY)
    return paper.published_on.isoformat()[: _DATE_LENGTH[precision]]


def citation_name(paper: Paper) -> str:
    """What names a paper in citations for ever: "pubmed_123", "doi_10.1000/…", "arxiv_…", or "paper_7"."""
    for prefix, name in (("pubmed", paper.pmid), ("doi", paper.doi), ("arxiv", paper.arxiv_id)):
        if name:
            return f"{prefix}_{name}"
    return f"paper_{paper.pk}"


def author_of(stored: dict[str, str]) -> Author:
    """An author of `Paper.authors`."""
    return Author(
        family=stored.get("family", ""),
        given=stored.get("given", ""),
        initials=stored.get("initials", ""),
        suffix=stored.get("suffix", ""),
        collective=stored.get("collective", ""),
    )
