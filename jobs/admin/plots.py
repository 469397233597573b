"""Plots as SVG, drawn on the server: bars of outcomes and lines of durations, with the same figures as a table beside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from jobs import display
from jobs.summaries import Period

WIDTH, HEIGHT = 720, 180
LEFT, BOTTOM, TOP = 44, 22, 8
#: What a bar is made of, from the ground up, with the words of the legend.
OUTCOMES = (
    ("succeeded", "succeeded"),
    ("partial", "partly succeeded"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
    ("missed", "missed"),
)
_INNER_WIDTH = WIDTH - LEFT
_INNER_HEIGHT = HEIGHT - TOP - BOTTOM
_TICKS = 4


@dataclass(frozen=True)
class Rect:
    """One part of a bar."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Label:
    """A word at an axis."""

    x: float
    y: float
    text: str


@dataclass
class Plot:
    """A drawing; `summary` says in a sentence what can be seen in it."""

    summary: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    rects: list[Rect] = field(default_factory=list)
    #: Name and points of each line; a gap in the data makes several of one name.
    lines: list[tuple[str, str]] = field(default_factory=list)
    #: Single points that have no neighbour to draw a line to.
    dots: list[Rect] = field(default_factory=list)
    x_labels: list[Label] = field(default_factory=list)
    y_labels: list[Label] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    """One line of the table that tells the same as the plots."""

    begins_at: datetime
    counts: Sequence[int]
    success: str
    p50: float | None
    p90: float | None


def outcomes(periods: Sequence[Period]) -> Plot:
    """Stacked bars: how the runs of each period ended."""
    totals = [sum(period.counts[name] for name, _ in OUTCOMES) for period in periods]
    top = _nice(max(totals, default=0))
    runs, failed = sum(totals), sum(period.counts["failed"] for period in periods)
    plot = Plot(f"Outcomes over time: {runs} runs ended, {failed} of them failed.")
    step = _INNER_WIDTH / max(len(periods), 1)
    for number, period in enumerate(periods):
        ground = float(HEIGHT - BOTTOM)
        for name, _ in OUTCOMES:
            height = period.counts[name] / top * _INNER_HEIGHT
            if height:
                ground -= height
                x = LEFT + number * step + step * 0.12
                plot.rects.append(
                    Rect(name, round(x, 1), round(ground, 1), round(step * 0.76, 1), round(height, 2))
                )
    plot.x_labels = _times(periods, step)
    plot.y_labels = [
        Label(LEFT - 6, round(_height(share / 2, 1.0), 1), f"{top * share / 2:,.0f}") for share in range(3)
    ]
    return plot


def durations(periods: Sequence[Period]) -> Plot:
    """Two lines: how long half of the runs, and nine of ten, took at most."""
    values = {
        "p50": [period.percentile(0.5) for period in periods],
        "p90": [period.percentile(0.9) for period in periods],
    }
    top = max((value for line in values.values() for value in line if value is not None), default=0.0) or 1.0
    plot = Plot(_in_words(values["p50"]))
    step = _INNER_WIDTH / max(len(periods), 1)
    for name, line in values.items():
        for piece in _pieces(line):
            points = [(LEFT + (number + 0.5) * step, _height(value, top)) for number, value in piece]
            plot.lines.append((name, " ".join(f"{x:.1f},{y:.1f}" for x, y in points)))
            if len(points) == 1:
                plot.dots.append(Rect(name, round(points[0][0], 1), round(points[0][1], 1), 0, 0))
    plot.x_labels = _times(periods, step)
    plot.y_labels = [
        Label(
            LEFT - 6,
            round(_height(top * share / 2, top), 1),
            display.duration(top * share / 2) if share else "0",
        )
        for share in range(3)
    ]
    return plot


def table(periods: Sequence[Period]) -> list[Line]:
    """The same figures in words and numbers."""
    return [
        Line(
            begins_at=period.begins_at,
            counts=[period.counts[name] for name, _ in OUTCOMES],
            success="" if period.success_rate is None else percent(period.success_rate),
            p50=period.percentile(0.5),
            p90=period.percentile(0.9),
        )
        for period in periods
    ]


def percent(share: float) -> str:
    """Rounded down above 99 %: a hundred says that nothing failed."""
    value = 100 * share
    return f"{value:.0f} %" if value < 99 or value == 100 else f"{int(value * 10) / 10:.1f} %"


def _in_words(medians: Sequence[float | None]) -> str:
    known = [value for value in medians if value is not None]
    if not known:
        return "Durations over time: no run ended."
    return f"Durations over time: the median lies between {display.duration(min(known))} and {display.duration(max(known))}."


def _height(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - value / top * _INNER_HEIGHT


def _nice(largest: int) -> int:
    """The least of 2, 4, 6, 8 and 10 times a power of ten that is not below the largest value: its half is whole."""
    power = 1
    while True:
        for step in (2, 4, 6, 8, 10):
            if step * power >= largest:
                return step * power
        power *= 10


def _pieces(line: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """The stretches of a line between its gaps."""
    pieces: list[list[tuple[int, float]]] = [[]]
    for number, value in enumerate(line):
        if value is not None:
            pieces[-1].append((number, value))
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _times(periods: Sequence[Period], step: float) -> list[Label]:
    """The hour below every sixth bar or so; below those of several days the day where it begins."""
    zone = ZoneInfo(timezone.get_current_timezone_name())
    moments = [period.begins_at.astimezone(zone) for period in periods]
    is_long = bool(moments) and (moments[-1] - moments[0]).days > 1
    every = max(len(periods) // _TICKS, 1)
    labels = []
    for number, local in enumerate(moments):
        begins_day = number > 0 and local.date() != moments[number - 1].date()
        if begins_day if is_long else number % every == 0:
            text = f"{local:%a} {local.day}" if is_long else f"{local:%H:%M}"
            labels.append(Label(round(LEFT + (number + 0.5) * step, 1), HEIGHT - 6, text))
    return labels
