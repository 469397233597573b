"""One ranking from two."""

import numpy as np
import pytest

from knowledge.search.fusion import fused


def scores(*values):
    return np.array(values, dtype=np.float32)


def test_who_is_best_by_both_is_best():
    found = fused(scores(0.9, 0.1, 0.2), scores(12, 3, 0))
    assert found.argmax() == 0


def test_how_far_ahead_counts_not_only_the_rank():
    assert fused(scores(0.50, 0.51, 0.1), scores(20, 2, 1)).argmax() == 0


def test_units_do_not_matter():
    dense, sparse = scores(0.9, 0.5, 0.2), scores(3, 9, 1)
    np.testing.assert_allclose(fused(dense, sparse), fused(dense * 100 - 7, sparse / 3 + 2), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_all_is_the_order_of_one(share):
    dense, sparse = scores(0.9, 0.5, 0.2), scores(3, 9, 1)
    assert fused(dense, sparse, share).argmax() == (sparse, dense)[int(share)].argmax()


def test_what_is_not_known_counts_as_the_mean():
    assert fused(scores(0.9, np.nan, 0.1), scores(5, 5, 5)).argsort().tolist() == [2, 1, 0]


def test_scores_that_say_nothing_change_nothing():
    assert fused(scores(np.nan, np.nan), scores(0, 0)).tolist() == [0, 0]
    assert fused(scores(0.4, 0.4, 0.4), scores(1, 3, 2)).argmax() == 1
    assert fused(scores(), scores()).tolist() == []
