"""Estimates, held against runs whose end is known.

The measure is the mean absolute error of the time left, in seconds, over 400 simulated runs of each kind, looked at
anywhere between 5 and 95 % of their time; and how often a run ended within the time that 9 of 10 should.
"""

import math
import random
from collections.abc import Callable

import pytest

from jobs import estimates

Draw = Callable[[random.Random], float]

KINDS: dict[str, Draw] = {
    "steady": lambda rng: 100 * math.exp(rng.gauss(0, 0.05)),
    "usual": lambda rng: 60 * math.exp(rng.gauss(0, 0.5)),
    "wild": lambda rng: 30 * math.exp(rng.gauss(0, 1.2)),
    "two kinds": lambda rng: (5 if rng.random() < 0.7 else 300) * math.exp(rng.gauss(0, 0.2)),
}
#: How far a run says it is when a share of its time has passed.
SHAPES = {"even": 1.0, "fast start": 0.6, "slow start": 1.6}


class Trial:
    """Errors of each way to guess, over many runs of one kind."""

    def __init__(self, draw: Draw, shape: float, *, seed: int = 3) -> None:
        self.both: list[float] = []
        self.by_history: list[float] = []
        self.by_progress: list[float] = []
        self.within: list[bool] = []
        rng = random.Random(seed)
        for _ in range(400):
            earlier = [draw(rng) for _ in range(50)]
            total, share = draw(rng), rng.uniform(0.05, 0.95)
            passed, truth = total * share, total * (1 - share)
            said = min(share**shape * math.exp(rng.gauss(0, 0.15 * (1 - share))), 0.999)
            left = estimates.left(passed, said, earlier)
            blind = estimates.left(passed, 0, earlier)
            assert left is not None
            assert blind is not None
            self.both.append(abs(left.quantile(0.5) - truth))
            self.by_history.append(abs(blind.quantile(0.5) - truth))
            self.by_progress.append(abs(passed / said - passed - truth))
            self.within.append(truth <= left.quantile(0.9))


def mean(values):
    return sum(values) / len(values)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_together_they_are_never_far_behind_the_better_and_far_ahead_of_the_worse(kind, shape):
    trial = Trial(KINDS[kind], SHAPES[shape])
    both, better, worse = mean(trial.both), *sorted([mean(trial.by_history), mean(trial.by_progress)])
    assert both <= 2.5 * better
    assert both <= worse


def test_over_all_kinds_they_are_better_together_than_either_alone():
    trials = [Trial(draw, shape) for draw in KINDS.values() for shape in SHAPES.values()]
    both, by_history, by_progress = (
        mean([mean(getattr(trial, name)) for trial in trials])
        for name in ("both", "by_history", "by_progress")
    )
    assert both < 0.65 * by_history
    assert both < 0.5 * by_progress


def test_nine_of_ten_end_within_what_nine_of_ten_should():
    within = [mean(Trial(draw, shape).within) for draw in KINDS.values() for shape in SHAPES.values()]
    assert 0.85 <= mean(within) <= 0.97
    assert min(within) >= 0.6


@pytest.mark.parametrize("kind", KINDS)
def test_history_alone_is_honest_about_nine_of_ten(kind):
    rng = random.Random(11)
    within = []
    for _ in range(1000):
        earlier, total = [KINDS[kind](rng) for _ in range(50)], KINDS[kind](rng)
        passed = total * rng.uniform(0, 1)
        left = estimates.left(passed, 0, earlier)
        assert left is not None
        within.append(total - passed <= left.quantile(0.9))
    assert 0.86 <= mean(within) <= 0.99


def test_a_real_history_is_foretold():
    """Seconds of a nightly backup over eight weeks: slower on Sundays, and growing."""
    nights = [round(600 + 6 * day + (300 if day % 7 == 0 else 0) + 25 * math.sin(day)) for day in range(56)]
    errors, within = [], []
    for day in range(14, 56):
        left = estimates.left(0.0, 0.0, nights[max(day - 50, 0) : day])
        assert left is not None
        errors.append(abs(left.quantile(0.5) - nights[day]) / nights[day])
        within.append(nights[day] <= left.quantile(0.9))
    assert mean(errors) < 0.2
    assert mean(within) > 0.5


class TestLeft:
    def test_quantiles_lie_between_the_cases(self):
        left = estimates.Left([0.0, 10.0, 20.0])
        assert [left.quantile(share) for share in (0, 0.25, 0.5, 0.9, 1)] == [0, 5, 10, pytest.approx(18), 20]

    def test_the_chance_to_take_longer(self):
        left = estimates.Left([0.0, 10.0, 20.0, 30.0])
        assert [left.chance_beyond(seconds) for seconds in (-1, 0, 15, 30)] == [1, 0.75, 0.5, 0]

    def test_a_single_case_is_certain(self):
        left = estimates.left(5, 0, [20.0])
        assert left is not None
        assert (left.quantile(0.1), left.quantile(0.9)) == (15, 15)

    def test_nothing_known_is_nothing_said(self):
        assert estimates.left(5, 0, []) is None
        assert estimates.left(0, 0.5, []) is None

    @pytest.mark.parametrize("passed", [0, 1e-9, 10, 1e7])
    @pytest.mark.parametrize("share", [0, 1e-6, 0.5, 0.999999, 1])
    @pytest.mark.parametrize("earlier", [[], [0.0], [0.0] * 9, [1e-4, 1e6], [5.0] * 50])
    def test_whatever_comes_no_time_is_negative_or_out_of_order(self, passed, share, earlier):
        left = estimates.left(passed, share, earlier)
        if left is not None:
            assert list(left.cases) == sorted(left.cases)
            assert min(left.cases) >= 0
            assert math.isfinite(max(left.cases))
