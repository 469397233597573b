"""Stacked bars as SVG: geometry only, so that no style stands in the page and colours follow the mode."""

from collections.abc import Iterable
from dataclasses import dataclass

from jobs.delays import Kind

#: Width of a full bar in the units of its drawing.
FULL = 1000.0
#: What is there at all can be seen.
_THINNEST = 3.0


@dataclass(frozen=True)
class Segment:
    """One part of a bar."""

    kind: Kind
    seconds: float
    x: float
    width: float

    @property
    def label(self) -> str:
        return self.kind.label


def stack(parts: Iterable[tuple[Kind, float]], *, whole: float | None = None) -> list[Segment]:
    """Parts in seconds side by side. They fill the bar, or as much of it as they make of `whole`."""
    parts = [(kind, seconds) for kind, seconds in parts if seconds > 0]
    total = whole or sum(seconds for _, seconds in parts)
    if not parts or not total:
        return []
    full = FULL * min(sum(seconds for _, seconds in parts) / total, 1.0)
    widths = [max(FULL * seconds / total, _THINNEST) for _, seconds in parts]
    scale = full / sum(widths) if sum(widths) > full else 1.0
    segments, x = [], 0.0
    for (kind, seconds), width in zip(parts, widths, strict=True):
        segments.append(Segment(kind, seconds, round(x, 2), round(width * scale, 2)))
        x += width * scale
    return segments
