"""Bars and lines as SVG, drawn on the server, with the same figures as a table beside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jobs.admin.plots import Label, Plot, Rect

WIDTH, HEIGHT = 480, 150
LEFT, BOTTOM, TOP = 46, 22, 10
_INNER = HEIGHT - TOP - BOTTOM
#: Labels below the axis, about.
_TICKS = 5
_STEPS = (1, 2, 4, 6, 8, 10)


@dataclass(frozen=True)
class Drawn:
    """A plot and its figures."""

    title: str
    plot: Plot
    #: Names of the columns, then the rows, the last first.
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def bars(title: str, values: Sequence[tuple[str, int]], *, by: str, what: str) -> Drawn:
    """One bar for each value; `by` names what the bars are (Week), `what` what is counted (papers)."""
    numbers = [number for _, number in values]
    top = _nice(max(numbers, default=0))
    summary = f"{title}: {sum(numbers):,} {what} in all"
    if any(numbers):
        most = max(values, key=lambda value: value[1])
        summary += f", the most in {most[0]}: {most[1]:,}"
    plot = Plot(f"{summary}.", width=WIDTH, height=HEIGHT, left=LEFT)
    step = (WIDTH - LEFT) / max(len(values), 1)
    for number, (_, value) in enumerate(values):
        if value:
            height = max(value / top * _INNER, 1.5)
            plot.rects.append(
                Rect(
                    "papers",
                    round(LEFT + number * step + step * 0.12, 1),
                    round(HEIGHT - BOTTOM - height, 1),
                    round(step * 0.76, 1),
                    round(height, 2),
                )
            )
    plot.x_labels = _below([name for name, _ in values], step)
    plot.y_labels = [_beside(share / 2, f"{top * share / 2:,.0f}") for share in range(3)]
    rows = [(name, f"{value:,}") for name, value in values if value]
    return Drawn(title, plot, (by, what.capitalize()), rows[::-1])


@dataclass(frozen=True)
class Point:
    """Values at one time, from 0 to 1 by their kind; None is not known."""

    #: Below the axis, and in the table.
    short: str
    name: str
    values: Mapping[str, float | None]


def lines(title: str, names: Mapping[str, str], points: Sequence[Point]) -> Drawn:
    """A line for each of the names (kind and words), from point to point; what is not known is a gap."""
    last = {kind: _last(points, kind) for kind in names}
    told = [f"{names[kind]} {value:.3f}" for kind, value in last.items() if value is not None]
    summary = f"{title}: {len(points)} times; the last {', '.join(told) or 'nothing'}."
    plot = Plot(summary, width=WIDTH, height=HEIGHT, left=LEFT)
    step = (WIDTH - LEFT) / max(len(points), 1)
    for kind in names:
        for piece in _pieces([point.values.get(kind) for point in points]):
            places = [(LEFT + (n + 0.5) * step, HEIGHT - BOTTOM - value * _INNER) for n, value in piece]
            plot.lines.append((kind, " ".join(f"{x:.1f},{y:.1f}" for x, y in places)))
            plot.dots += [Rect(kind, round(x, 1), round(y, 1), 0, 0) for x, y in places]
    plot.x_labels = _below([point.short for point in points], step)
    plot.y_labels = [_beside(share / 2, f"{share / 2:g}") for share in range(3)]
    rows = [
        (point.name, *("" if (value := point.values.get(kind)) is None else f"{value:.3f}" for kind in names))
        for point in points
    ]
    return Drawn(title, plot, ("When", *names.values()), rows[::-1])


def _last(points: Sequence[Point], kind: str) -> float | None:
    return next((v for point in reversed(points) if (v := point.values.get(kind)) is not None), None)


def _pieces(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The stretches between gaps."""
    found: list[list[tuple[int, float]]] = [[]]
    for number, value in enumerate(values):
        if value is not None:
            found[-1].append((number, value))
        elif found[-1]:
            found.append([])
    return [piece for piece in found if piece]


def _below(names: Sequence[str], step: float) -> list[Label]:
    every = max(-(-len(names) // _TICKS), 1)
    return [
        Label(round(LEFT + (number + 0.5) * step, 1), HEIGHT - 5, name)
        for number, name in enumerate(names)
        if number % every == every // 2
    ]


def _beside(share: float, text: str) -> Label:
    return Label(LEFT - 6, round(HEIGHT - BOTTOM - share * _INNER, 1), text)


def _nice(largest: int) -> int:
    """A round even number that is not below the largest value: its half is whole."""
    power = 1
    while True:
        for step in _STEPS[1:]:
            if step * power >= largest:
                return step * power
        power *= 10
