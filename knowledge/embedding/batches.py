"""Batches of texts of about the same length, for models whose cost grows with the longest of a batch."""

from collections.abc import Iterator, Sequence


def by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indexes of all texts, the longest first, in batches whose padded size stays within the budget.

    A text that is longer than the budget comes alone. Nothing is left out, and nothing comes twice.
    """
    batch: list[int] = []
    longest = 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * longest > budget:
            yield batch
            batch = []
        if not batch:
            longest = lengths[index]
        batch.append(index)
    if batch:
        yield batch
