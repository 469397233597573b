"""How texts are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.chunking import SIZES, Mode, Size, passages, sentences

#: Words, marks and white space as they come, with long runs without either.
TEXTS = st.lists(
    st.one_of(
        st.text(max_size=40),
        st.sampled_from(
            [". ", "! ", "? ", "。", "\n\n", " ", "e.g. ", "Fig. 2", "3.5 ", "x" * 120, "\u00a0", "\t"]
        ),
    ),
    max_size=60,
).map("".join)
LENGTHS = st.integers(1, 200).flatmap(
    lambda length: st.builds(Size, st.just(length), st.integers(0, length - 1))
)


@given(TEXTS, LENGTHS)
def test_nothing_but_white_space_is_lost(text, size):
    covered: set[int] = set()
    for span in passages(text, size):
        covered.update(range(span.start, span.end))
    assert [sign for place, sign in enumerate(text) if place not in covered and not sign.isspace()] == []


@given(TEXTS, LENGTHS)
def test_passages_are_spans_of_the_text_none_too_long_none_empty(text, size):
    for span in passages(text, size):
        found = span.of(text)
        assert 0 < len(found) <= size.passage
        assert found == found.strip()


@given(TEXTS, LENGTHS)
def test_each_passage_reaches_further_than_the_one_before(text, size):
    found = passages(text, size)
    for before, after in pairwise(found):
        assert after.start > before.start
        assert after.end > before.end
        assert before.end - after.start <= size.overlap


@given(TEXTS)
def test_sentences_together_are_the_text(text):
    found = sentences(text)
    assert "".join(span.of(text) for span in found) == text
    assert all(span.end > span.start for span in found)


def test_sentences_that_overlap_are_not_a_passage_of_their_own_again():
    text = ". 00。" + "x" * 126
    found = passages(text, Size(123, 3))
    assert [span.of(text)[:5] for span in found] == [". 00。", "xxxxx", "xxx"]


def test_a_sentence_end_within_the_overlap_does_not_stop_the_cutting():
    text = "A. " + "word " * 200
    found = passages(text, Size(100, 50))
    assert found[-1].of(text).endswith("word")
    assert len(found) < 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It works. It does not.", ["It works.", "It does not."]),
        ("Doses of 3.5 mg were given. All recovered.", ["Doses of 3.5 mg were given.", "All recovered."]),
        ("Smith et al. Found nothing.", ["Smith et al. Found nothing."]),
        ("See Fig. 2 for more. Done.", ["See Fig. 2 for more.", "Done."]),
        ("J. Smith agrees (p < .05). Others do not.", ["J. Smith agrees (p < .05).", "Others do not."]),
        ("Is it so? Yes! “Surely.” Well.", ["Is it so?", "Yes!", "“Surely.”", "Well."]),
        ("METHODS: none\n\nRESULTS: none", ["METHODS: none", "RESULTS: none"]),
        ("血压升高。使用药物。", ["血压升高。", "使用药物。"]),
        ("It ends in p. of nothing. so it goes on.", ["It ends in p. of nothing. so it goes on."]),
        ("", []),
    ],
)
def test_sentences_end_where_people_see_their_end(text, expected):
    assert [span.of(text).strip() for span in sentences(text)] == expected


def test_passages_end_at_sentence_ends_when_sentences_fit():
    text = " ".join(f"Sentence number {number} says nothing of note." for number in range(40))
    for span in passages(text, SIZES[Mode.BALANCED]):
        assert span.of(text).endswith(".")
        assert span.of(text).startswith("Sentence")


def test_no_crumb_is_left_at_the_end():
    text = " ".join(f"Sentence number {number} says nothing of note." for number in range(12))
    lengths = [span.end - span.start for span in passages(text, SIZES[Mode.BALANCED])]
    assert min(lengths) > max(lengths) * 0.7


def test_whole_sentences_are_repeated_when_they_fit_the_overlap():
    text = "One two three four. Five six seven. Eight. Nine ten eleven twelve. Thirteen fourteen. Fifteen sixteen."
    first, second, *_ = [span.of(text) for span in passages(text, Size(52, 10))]
    assert first.endswith("Eight.")
    assert second.startswith("Eight.")


@pytest.mark.parametrize(("passage", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_sizes_that_could_not_end_are_refused(passage, overlap):
    with pytest.raises(ValueError, match=r"a passage|the overlap"):
        Size(passage, overlap)
