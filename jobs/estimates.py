"""How long something will take, as a distribution: from how long it took before, and from how far it is.

What is known of the past is a sample of durations. A run that has lasted for t seconds is not like all runs before,
only like those that lasted longer than t. Its progress p says that it will take t / p in all, with an error that is
large in the beginning and vanishes in the end. Both are taken together by how sure each is.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, pstdev

#: With fewer earlier runs than this that lasted longer, the tail of the sample is continued by a log-normal one.
ENOUGH = 5
#: How far the total that progress predicts is off at the beginning: the standard deviation of its logarithm.
PROGRESS_ERROR = 0.5
#: The share of cases in which progress counts for nothing, at the beginning; it vanishes in the end.
DOUBT = 0.3
#: Never surer than this of what progress says, and of what history does: what always took the same time may not.
_LEAST_ERROR, _LEAST_OF_HISTORY = 0.02, 0.15
#: Points that stand for a distribution that is computed.
_POINTS = 40
_NORMAL = NormalDist()


@dataclass(frozen=True)
class Left:
    """The seconds that are left, as equally likely cases in ascending order."""

    cases: Sequence[float]

    def quantile(self, share: float) -> float:
        """So long or shorter in this share of all cases, between neighbours in proportion."""
        place = share * (len(self.cases) - 1)
        below = min(math.floor(place), len(self.cases) - 1)
        above = min(below + 1, len(self.cases) - 1)
        return self.cases[below] + (self.cases[above] - self.cases[below]) * (place - below)

    def chance_beyond(self, seconds: float) -> float:
        """The share of cases that take longer."""
        return 1 - bisect.bisect_right(self.cases, seconds) / len(self.cases)


def left(passed: float, share: float, history: Sequence[float]) -> Left | None:
    """What is left after `passed` seconds with the share done (0 to 1), given how long earlier runs took.

    None when there is neither progress nor history to go by.
    """
    if share >= 1:
        return Left([0.0])
    before = _after(passed, history) if history else None
    if share <= 0 or passed <= 0:
        return before
    by_progress = NormalDist(math.log(passed / share), max(PROGRESS_ERROR * (1 - share), _LEAST_ERROR))
    if before is None:
        return _from_total(by_progress, passed)
    together = _from_total(_together(by_progress, _of_totals(before, passed)), passed)
    return _mixed(together, before, DOUBT * (1 - share))


def log_normal(p50: float, p90: float) -> tuple[float, ...]:
    """Equally likely durations with this median and 90th percentile."""
    deviation = max(math.log(max(p90, 1e-3) / max(p50, 1e-3)) / _NORMAL.inv_cdf(0.9), 0.0)
    shares = ((number + 0.5) / _POINTS for number in range(_POINTS))
    return tuple(max(p50, 1e-3) * math.exp(deviation * _NORMAL.inv_cdf(share)) for share in shares)


def _after(passed: float, history: Sequence[float]) -> Left:
    """From history alone: what those that lasted longer still took then."""
    longer = sorted(seconds - passed for seconds in history if seconds > passed)
    if len(longer) >= min(ENOUGH, len(history)):
        return Left(longer)
    return _tail(passed, history)


def _tail(passed: float, history: Sequence[float]) -> Left:
    """Beyond what was seen before, by a log-normal distribution fitted to it: the longer it lasts, the longer it will."""
    fitted = _fitted([max(seconds, 1e-3) for seconds in history])
    start = fitted.cdf(math.log(passed)) if passed > 0 else 0.0
    # So far out that the distribution has nothing left: as if at its edge.
    start = min(start, 1 - 1e-9)
    shares = (start + (1 - start) * (number + 0.5) / _POINTS for number in range(_POINTS))
    return Left([max(math.exp(fitted.inv_cdf(share)) - passed, 0.0) for share in shares])


def _fitted(totals: Sequence[float]) -> NormalDist:
    logs = [math.log(total) for total in totals]
    return NormalDist(fmean(logs), max(pstdev(logs), 0.1))


def _of_totals(before: Left, passed: float) -> NormalDist:
    """The logarithm of the total as a normal distribution, robust: from the middle and the spread of the cases."""
    low, middle, high = (math.log(passed + before.quantile(share)) for share in (0.1, 0.5, 0.9))
    return NormalDist(middle, max((high - low) / 2 / _NORMAL.inv_cdf(0.9), _LEAST_OF_HISTORY))


def _together(one: NormalDist, other: NormalDist) -> NormalDist:
    """Two independent guesses of one number, each weighted by how sure it is."""
    weight, other_weight = 1 / one.variance, 1 / other.variance
    total = weight + other_weight
    mean = (one.mean * weight + other.mean * other_weight) / total
    # Guesses that contradict each other make us less sure, not more.
    apart = (one.mean - other.mean) ** 2 * weight * other_weight / total**2
    return NormalDist(mean, math.sqrt(1 / total + apart))


def _mixed(one: Left, other: Left, share: float) -> Left:
    """Cases of both, with this share of the other's: progress may mislead, and then history is right."""
    count = round(_POINTS * share)
    if not count:
        return one
    few = [other.quantile((number + 0.5) / count) for number in range(count)]
    many = [one.quantile((number + 0.5) / (_POINTS - count)) for number in range(_POINTS - count)]
    return Left(sorted(few + many))


def _from_total(total: NormalDist, passed: float) -> Left:
    shares = ((number + 0.5) / _POINTS for number in range(_POINTS))
    return Left([max(math.exp(total.inv_cdf(share)) - passed, 0.0) for share in shares])
