"""Papers for tests."""

from datetime import date, timedelta

from knowledge.tests.library import Paper

FIRST_DAY = date(2026, 11, 1)


def numbered(number: int, **fields: object) -> Paper:
    """A paper on insulin with every service's name for it."""
    given: dict[str, object] = {
        "title": f"Insulin and outcome {number}",
        "abstract": (("", f"Insulin was given to {number} people with diabetes."),),
        "pmid": str(30_000_000 + number),
        "doi": f"10.1000/test.{number}",
        "arxiv_id": f"2611.{number:05}",
        "entered": FIRST_DAY + timedelta(days=number % 15),
        "published": FIRST_DAY - timedelta(days=number % 28),
    }
    return Paper(**{**given, **fields})  # type: ignore[arg-type]  # fields of a paper


DETAILED = numbered(
    1,
    title="CO2 and 10^9 cells: a trial.",
    title_markup="CO<sub>2</sub> and 10<sup>9</sup> cells: a <i>trial</i>.",
    abstract=(("BACKGROUND", "Insulin & others, p < 0.05."), ("RESULTS", "Ca2+ rose.")),
    authors=(("van der Waals", "Johannes Diderik"), ("Curie", "Marie")),
    collective="The TEST Study Group",
    pmcid="PMC1234567",
    medline_date="1998 Dec-1999 Jan",
    published=date(1998, 12, 1),
    mesh=("Diabetes Mellitus", "Insulin"),
    keywords=("trial", "cells"),
    types=("Journal Article", "Randomized Controlled Trial"),
    language="fre",
)
