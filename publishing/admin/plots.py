"""Bars by day as SVG, drawn on the server, with the same figures as a table beside."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from jobs.admin.plots import Label, Plot, Rect
from publishing import display
from publishing.usage import Used

WIDTH, HEIGHT = 360, 130
LEFT, BOTTOM, TOP = 46, 20, 10
_TICKS = 4
_STEPS = (1, 2, 4, 5, 10)

Number = Decimal | int


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A plot and its figures."""

    title: str
    #: The colour: cost, tokens or posts.
    kind: str
    plot: Plot
    rows: Sequence[tuple[date, str]]
    total: str


def by_day(
    title: str,
    kind: str,
    values: Mapping[date, Number],
    days: Sequence[date],
    *,
    text: Callable[[Number], str],
    axis: Callable[[Number], str],
) -> Bars:
    """One bar for each of the days; days without a value are empty. `text` and `axis` write a value, in full and short."""
    numbers = [values.get(day, 0) for day in days]
    total = sum((Decimal(number) for number in numbers), Decimal(0))
    summary = f"{title} by day, {len(days)} days to {days[-1]:%d %b}: {text(total)} in all, at most {text(max(numbers))} a day."
    plot = Plot(summary, width=WIDTH, height=HEIGHT, left=LEFT)
    top = _nice(Decimal(max(numbers)))
    step = (WIDTH - LEFT) / len(days)
    for number, value in enumerate(numbers):
        height = float(Decimal(value) / top) * (HEIGHT - TOP - BOTTOM)
        if value:
            seen = max(height, 1.5)
            x, y = LEFT + number * step + step * 0.12, HEIGHT - BOTTOM - seen
            plot.rects.append(Rect(kind, round(x, 1), round(y, 1), round(step * 0.76, 1), round(seen, 2)))
    plot.x_labels = _dates(days, step)
    plot.y_labels = [_level(share, top, axis) for share in (Decimal(0), Decimal("0.5"), Decimal(1))]
    rows = [(day, text(value)) for day, value in zip(days, numbers, strict=True) if value]
    return Bars(title=title, kind=kind, plot=plot, rows=rows[::-1], total=text(total))


def of_usage(rows: Sequence[Used], posts: Mapping[date, int], days: Sequence[date]) -> list[Bars]:
    """Cost, tokens and posts of each of the days."""
    cost = _summed((row.period, row.cost) for row in rows)
    tokens = _summed((row.period, row.tokens_in + row.tokens_out) for row in rows)
    return [
        by_day("Cost", "cost", cost, days, text=display.dollars, axis=display.dollars),
        by_day("Tokens", "tokens", tokens, days, text=display.count, axis=display.short),
        by_day("Posts", "posts", posts, days, text=display.count, axis=display.short),
    ]


def days_until(last: date, number: int) -> list[date]:
    """So many days, the last one given."""
    return [last - timedelta(days=back) for back in range(number - 1, -1, -1)]


def _summed(pairs: Iterable[tuple[date | None, Number]]) -> dict[date, Number]:
    """The sum of each day."""
    found: dict[date, Number] = {}
    for day, value in pairs:
        if day is not None:
            found[day] = found.get(day, 0) + value
    return found


def _level(share: Decimal, top: Decimal, axis: Callable[[Number], str]) -> Label:
    y = HEIGHT - BOTTOM - float(share) * (HEIGHT - TOP - BOTTOM)
    return Label(LEFT - 6, round(y, 1), axis(top * share) if share else "0")


def _dates(days: Sequence[date], step: float) -> list[Label]:
    every = max(len(days) // _TICKS, 1)
    return [
        Label(round(LEFT + (number + 0.5) * step, 1), HEIGHT - 4, f"{day.day} {day:%b}")
        for number, day in enumerate(days)
        if number % every == every // 2
    ]


def _nice(largest: Decimal) -> Decimal:
    """A round number that is not below the largest value."""
    if largest <= 0:
        return Decimal(1)
    power = Decimal(10) ** (largest.adjusted())
    return next(step * power for step in _STEPS if step * power >= largest)
