"""`manage.py knowledge search` and `ask`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import OutputWrapper

from jobs import follow
from jobs.management.base import FAILED, STILL_ACTIVE
from jobs.models import JobRun
from knowledge import answers, connectors
from knowledge.answers.shown import Shown
from knowledge.management.base import as_json, number, paragraph
from knowledge.models import Answer
from knowledge.search import wishes
from knowledge.search.engine import Hit, search
from knowledge.search.filters import Filters, Retracted
from knowledge.standing import DISCLAIMER, citation_name, names_of_authors, printed_date

_YEAR = number(0, 9999)
_AUTHORS = 3


def add_filters(parser: ArgumentParser) -> None:
    """What both verbs can be narrowed by."""
    parser.add_argument("--year-from", type=_YEAR, metavar="YEAR")
    parser.add_argument("--year-to", type=_YEAR, metavar="YEAR")
    parser.add_argument("--source", action="append", default=[], choices=connectors.kinds())
    parser.add_argument("--type", action="append", default=[], metavar="KIND", help="such as Review")
    parser.add_argument("--language", action="append", default=[], metavar="CODE", help="such as en")
    parser.add_argument("--json", action="store_true", help="for programs")


def add_search(parser: ArgumentParser) -> None:
    parser.add_argument("query")
    parser.add_argument("--mode", choices=wishes.MODES, default="hybrid")
    parser.add_argument("--limit", type=number(1, 100), default=5, metavar="N")
    parser.add_argument("--retracted", choices=[choice.value for choice in Retracted], default="exclude")
    add_filters(parser)


def add_ask(parser: ArgumentParser) -> None:
    parser.add_argument("question")
    parser.add_argument("--writer", choices=answers.kinds(), default=answers.DEFAULT_KIND)
    parser.add_argument(
        "--timeout",
        type=number(1, 3600),
        default=300,
        metavar="SECONDS",
        help="how long to wait for a worker",
    )
    add_filters(parser)


def carry_out_search(out: OutputWrapper, options: dict[str, Any]) -> int:
    """Print what is found; 0 also when that is nothing."""
    way = wishes.way(options["mode"])
    filters = _filters(options, Retracted(options["retracted"]))
    hits = search(options["query"], filters=filters, limit=options["limit"], mode=way.mode)
    if options["json"]:
        out.write(as_json([_row(hit) for hit in hits]))
        return 0
    for place, hit in enumerate(hits, start=1):
        _show(out, place, hit)
    out.write(DISCLAIMER if hits else "Nothing is found.")
    return 0


def carry_out_ask(out: OutputWrapper, err: OutputWrapper, options: dict[str, Any]) -> int:
    """Print the answer; 1 when there is none, 124 when a worker has not written it in time."""
    question = answers.ask(
        options["question"],
        filters=_filters(options, Retracted.EXCLUDE),
        writer=options["writer"],
        by=None,
        trigger=JobRun.Trigger.COMMAND,
    )
    run = answers.run_of(question)
    if run is not None:
        run = follow.wait(run.pk, timeout=options["timeout"])
    answer = Answer.objects.select_related("question").filter(question=question).first()
    if answer is None:
        is_late = run is not None and run.is_active
        err.write(
            f"A worker has not answered yet. Look again with: manage.py jobs status {run.pk}"
            if run is not None and is_late
            else f"There is no answer: {run.error_message or run.reason if run else 'its run is gone'}"
        )
        return STILL_ACTIVE if is_late else FAILED
    seen = answers.shown(answer)
    if options["json"]:
        out.write(as_json(_answer_row(seen)))
    else:
        _show_answer(out, seen)
    return 0 if seen.is_answered else FAILED


def _filters(options: dict[str, Any], retracted: Retracted) -> Filters:
    return Filters(
        sources=options["source"],
        types=options["type"],
        languages=options["language"],
        year_from=options["year_from"],
        year_to=options["year_to"],
        retracted=retracted,
    )


def _row(hit: Hit) -> dict[str, Any]:
    paper, document = hit.part.paper, hit.part.document
    return {
        "name": citation_name(paper) if paper else f"document_{document.pk if document else ''}",
        "paper": hit.part.paper_id,
        "document": hit.part.document_id,
        "title": hit.part.title,
        "authors": names_of_authors(paper) if paper else [],
        "published": printed_date(paper) if paper else "",
        "url": paper.url if paper else "",
        "is_retracted": bool(paper and paper.is_retracted),
        "score": round(hit.scored.score, 4),
        "similarity": round(hit.scored.similarity, 4),
        "text": hit.passage.text,
    }


def _show(out: OutputWrapper, place: int, hit: Hit) -> None:
    row = _row(hit)
    out.write(f"{place}. {'RETRACTED: ' if row['is_retracted'] else ''}{row['title']}")
    names = ", ".join(row["authors"][:_AUTHORS]) + (" et al." if len(row["authors"]) > _AUTHORS else "")
    about = [part for part in (names, row["published"], row["name"], row["url"]) if part]
    out.write("    " + " · ".join(about))
    paragraph(out, row["text"])


def _answer_row(seen: Shown) -> dict[str, Any]:
    return {
        "is_answered": seen.is_answered,
        "text": seen.text,
        "reason": seen.reason,
        "warnings": seen.warnings,
        "citations": [
            {
                "number": citation.number,
                "title": citation.title,
                "published": citation.published,
                "doi": citation.doi,
                "pmid": citation.pmid,
                "url": citation.url,
                "quote": citation.quote,
                "warnings": citation.warnings,
            }
            for citation in seen.citations
        ],
    }


def _show_answer(out: OutputWrapper, seen: Shown) -> None:
    if not seen.is_answered:
        out.write(f"There is no answer: {seen.reason}")
        return
    paragraph(out, seen.text, indent="")
    for citation in seen.citations:
        about = [part for part in (citation.published, citation.doi, citation.url) if part]
        out.write(f"[{citation.number}] {citation.title} · {' · '.join(about)}".rstrip(" ·"))
        for warning in citation.warnings:
            out.write(f"    {warning}")
    out.write(answers.NOT_ADVICE)
