"""One ranking from two: by meaning and by words."""

import numpy as np
from numpy.typing import NDArray

#: The share of meaning in the score; words have the rest.
DENSE_SHARE = 0.6

Scores = NDArray[np.float32]


def fused(dense: Scores, sparse: Scores, share: float = DENSE_SHARE) -> Scores:
    """Scores of candidates by both, each measured in standard deviations from the mean of all candidates.

    Ranks alone would forget how far the best are ahead; raw scores of the two cannot be added. NaN stands for what is
    not known yet, and counts as the mean.
    """
    result: Scores = (share * _standard(dense) + (1 - share) * _standard(sparse)).astype(np.float32)
    return result


def _standard(scores: Scores) -> Scores:
    known = scores[~np.isnan(scores)]
    deviation = float(known.std()) if len(known) else 0.0
    if deviation < 1e-6:  # they say nothing about who is better
        return np.zeros_like(scores)
    result: Scores = np.nan_to_num((scores - known.mean()) / deviation, nan=0.0)
    return result
