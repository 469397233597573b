"""Batches of like length."""

from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedding.batches import by_length

LENGTHS = st.lists(st.integers(0, 300), max_size=80)


@given(LENGTHS, st.integers(1, 1000))
def test_every_text_is_in_exactly_one_batch(lengths, budget):
    found = [index for batch in by_length(lengths, budget) for index in batch]
    assert sorted(found) == list(range(len(lengths)))


@given(LENGTHS, st.integers(1, 1000))
def test_no_padded_batch_exceeds_the_budget_unless_one_text_does(lengths, budget):
    for batch in by_length(lengths, budget):
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


def test_texts_of_like_length_come_together():
    assert list(by_length([5, 100, 6, 90], 200)) == [[1, 3], [2, 0]]
