"""The second look: the query moved a little toward the best passages."""

import numpy as np
import pytest
from pgvector import HalfVector

from knowledge.search import dense
from knowledge.search.dense import Near
from knowledge.search.engine import _nearness_to_the_best

QUERY = np.array([1, 0, 0, 0], dtype=np.float32)


def near(number: int, *vector: float) -> Near:
    """A passage in a part of its own."""
    unit = np.array(vector) / np.linalg.norm(vector)
    return Near(number, number, float(unit[0]), HalfVector(unit).to_binary())


def test_vectors_are_read_as_the_database_sends_them():
    some = [near(1, 3, 4, 0, 0), Near(2, 2, None), near(3, 0, 0, 0, -1)]
    expected = np.array([[0.6, 0.8, 0, 0], [0, 0, 0, 0], [0, 0, 0, -1]])
    np.testing.assert_allclose(dense.vectors_of(some), expected, atol=1e-3)


def test_of_two_that_are_equally_near_the_one_like_the_best_wins():
    best = [near(number, 1, 0.5, 0, 0) for number in range(3)]
    like_them, unlike_them = near(3, 0.6, 0.8, 0, 0), near(4, 0.6, 0, 0.8, 0)
    passages = [[one] for one in [*best, like_them, unlike_them]]
    moved = _nearness_to_the_best(QUERY, passages, np.arange(5))
    assert moved[3] > moved[4] + 0.05
    assert moved[0] > moved[3]


def test_the_best_passage_of_each_part_counts_and_none_is_not_known():
    passages = [[near(1, 1, 0, 0, 0), near(2, 0, 1, 0, 0)], [Near(3, 3, None)], [near(4, 0, 0, 1, 0)]]
    moved = _nearness_to_the_best(QUERY, passages, np.array([1, 0, 2]))
    assert moved[0] == pytest.approx(1, abs=0.1)
    assert np.isnan(moved[1])
    assert moved[2] < 0.5
