"""Words, stems and marks."""

import pytest

from knowledge.chunking import Span
from knowledge.search.highlights import highlights
from knowledge.search.words import LONGEST, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The effects of Aspirin", ["effect", "aspirin"]),
        ("IL-6 and p53", ["il", "6", "p53"]),
        ("β-blockers in ﬁve patients", ["β", "blocker", "five", "patient"]),
        ("snake_case", ["snake", "case"]),
        ("", []),
    ],
)
def test_terms_are_stems_of_telling_words(text, expected):
    assert terms(text) == expected


def test_words_without_end_are_cut():
    assert [len(term) for term in terms("x" * 10_000)] == [LONGEST]


def test_marks_join_neighbours_and_leave_common_words_alone():
    text = "Heart attacks, and the heart."
    assert highlights(text, frozenset(terms("the attack of hearts"))) == [Span(0, 13), Span(23, 28)]
