"""Papers over time as SVG, drawn on the server, with the same figures as a table beside."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import QuerySet

from jobs import display
from jobs.admin.plots import Label, Plot, Rect
from knowledge import connectors
from knowledge.models import Finding

WIDTH, HEIGHT = 720, 170
LEFT, BOTTOM, TOP = 40, 22, 10
WEEKS = 26
_TICKS = 6
_STEPS = (1, 2, 4, 6, 8, 10)
#: What is drawn in a colour of its own; the rest is "other".
_COLOURS = ("pubmed", "arxiv", "europepmc", "feeds")


@dataclass(frozen=True)
class Weeks:
    """A plot and its figures."""

    plot: Plot
    #: Colour and name of each source, from the ground up.
    legend: Sequence[tuple[str, str]]
    #: Weeks with papers, the newest first: the week's Monday and a number for each of the legend.
    rows: Sequence[tuple[date, Sequence[int]]]
    total: int


def papers_by_week(findings: QuerySet[Finding], today: date) -> Weeks:
    """How many papers came in each of the last weeks, by the source that had them first."""
    last = today - timedelta(days=today.weekday())
    weeks = [last - timedelta(weeks=back) for back in range(WEEKS - 1, -1, -1)]
    counts = _counts(findings, weeks[0])
    kinds = [kind for kind in (*_COLOURS, "other") if any(kind == found for _, found in counts)]
    totals = [sum(counts[week, kind] for kind in kinds) for week in weeks]
    return Weeks(
        plot=_drawn(weeks, kinds, counts, totals),
        legend=[(kind, _name(kind)) for kind in kinds],
        rows=[
            (week, [counts[week, kind] for kind in kinds])
            for week, total in zip(reversed(weeks), reversed(totals), strict=True)
            if total
        ],
        total=sum(totals),
    )


def _counts(findings: QuerySet[Finding], since: date) -> Counter[tuple[date, str]]:
    found: Counter[tuple[date, str]] = Counter()
    rows = findings.filter(paper__first_seen_at__date__gte=since)
    for at, sources in rows.values_list("paper__first_seen_at", "paper__sources"):
        day = at.date()
        kind = sources[0] if sources else "other"
        found[day - timedelta(days=day.weekday()), kind if kind in _COLOURS else "other"] += 1
    return found


def _name(kind: str) -> str:
    return dict(connectors.choices()).get(kind, "Others")


def _drawn(
    weeks: Sequence[date],
    kinds: Sequence[str],
    counts: Mapping[tuple[date, str], int],
    totals: Sequence[int],
) -> Plot:
    plot = Plot(_summary(totals), width=WIDTH, height=HEIGHT, left=LEFT)
    top, step = _nice(max(totals)), (WIDTH - LEFT) / len(weeks)
    for number, week in enumerate(weeks):
        ground = float(HEIGHT - BOTTOM)
        for kind in kinds:
            height = counts[week, kind] / top * (HEIGHT - TOP - BOTTOM)
            if height:
                ground -= height
                x = LEFT + number * step + step * 0.14
                plot.rects.append(
                    Rect(kind, round(x, 1), round(ground, 1), round(step * 0.72, 1), round(height, 2))
                )
    every = max(len(weeks) // _TICKS, 1)
    plot.x_labels = [
        Label(round(LEFT + (number + 0.5) * step, 1), HEIGHT - 5, f"{week.day} {week:%b}")
        for number, week in enumerate(weeks)
        if number % every == every // 2
    ]
    plot.y_labels = [_level(share, top) for share in (0.0, 0.5, 1.0) if share != 0.5 or top % 2 == 0]
    return plot


def _summary(totals: Sequence[int]) -> str:
    papers = display.count(sum(totals), "paper")
    return f"New papers by week, {len(totals)} weeks: {papers} in all, at most {max(totals)} a week."


def _level(share: float, top: int) -> Label:
    y = HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
    return Label(LEFT - 6, round(y, 1), f"{top * share:,.0f}")


def _nice(largest: int) -> int:
    """A round number that is not below the largest value."""
    power = 1
    while largest > 10 * power:
        power *= 10
    return next(step * power for step in _STEPS if step * power >= largest)
