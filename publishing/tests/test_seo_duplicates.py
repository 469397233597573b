import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.seo.duplicates import (
    fingerprint,
    from_runs,
    is_same_title,
    most_similar,
    similarity,
    text_similarity,
    title_similarity,
)

TEXTS = st.lists(st.sampled_from("abcdef"), max_size=30).map(" ".join)


def article_of(words: int, seed: int) -> list[str]:
    chosen = random.Random(seed)
    return [f"word{chosen.randrange(3000)}" for _ in range(words)]


def test_a_text_is_wholly_like_itself_and_not_like_another():
    assert text_similarity("One two, three four.", "one TWO three\n four") == 1
    assert text_similarity("one two three", "four five six") == 0
    assert text_similarity("", "") == 0


def test_the_similarity_is_shared_runs_by_all_runs():
    # abc bcd cde | abc bcd bcx: two shared of four.
    assert text_similarity("a b c d e", "a b c d x") == 2 / 4
    assert text_similarity("a b", "a b") == 1
    assert text_similarity("a b", "b a") == 0


def test_a_text_with_every_twentieth_word_changed_is_a_near_duplicate():
    text = article_of(800, seed=1)
    changed = [f"new{place}" if place % 20 == 0 else word for place, word in enumerate(text)]
    match = most_similar(
        fingerprint("new", title="x", text=" ".join(changed)),
        [fingerprint("old", title="y", text=" ".join(text))],
    )
    assert match is not None and match.is_near_duplicate
    assert 0.7 < match.text < 0.8


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Roses in winter", "ROSES – in winter!", True),
        ("Ten ways to keep your roses alive", "Ten ways to keep roses alive", True),
        ("Roses in winter", "Tulips in winter", False),
        ("", "", False),
        ("a b c d", "a b c d e", False),  # exactly .8
        ("a b c d e", "a b c d e f", True),
    ],
)
def test_titles_are_the_same_from_more_than_four_fifths_of_their_words(one, other, same):
    assert is_same_title(one, other) is same


def test_the_most_similar_of_many_is_found():
    base = article_of(300, seed=2)
    earlier = [
        fingerprint("unlike", title="a", text=" ".join(article_of(300, seed=3))),
        fingerprint("half", title="b", text=" ".join(base[:200])),
        fingerprint("most", title="c", text=" ".join(base[:280])),
        fingerprint("less", title="d", text=" ".join(base[:250])),
    ]
    match = most_similar(fingerprint("new", title="e", text=" ".join(base)), earlier)
    assert match is not None
    assert (match.key, match.title) == ("most", 0)
    assert match.text == pytest.approx(278 / 298)


def test_a_post_is_not_its_own_duplicate():
    post = fingerprint("same", title="x", text="a b c d")
    assert most_similar(post, [post]) is None


def test_the_same_title_is_found_when_no_text_is_alike():
    earlier = [
        fingerprint("other", title="Tulips in spring", text="a b c d"),
        fingerprint("title", title="Roses in winter", text="x b c d"),
    ]
    match = most_similar(fingerprint("new", title="Roses, in winter", text="k l m n"), earlier)
    assert match is not None
    assert (match.key, match.text, match.title, match.is_near_duplicate) == ("title", 0, 1, True)
    assert most_similar(fingerprint("new", title="Else", text="k l m n"), earlier) is None


def test_stored_runs_fit_a_bigint_and_give_the_fingerprint_back():
    post = fingerprint("p", title="A title", text=" ".join(article_of(500, seed=4)))
    assert from_runs("p", title="A title", runs=post.runs) == post
    assert all(-(2**63) <= run < 2**63 for run in post.runs)
    assert 0.3 < len(post.head) / post.size < 0.45


def test_runs_are_the_same_in_every_process():
    assert sorted(fingerprint("p", title="", text="one two three").runs) == [-1927807679659498995]


@given(TEXTS, TEXTS)
def test_similarity_is_symmetric_and_equals_a_plain_count(one, other):
    def runs(text):
        words = text.split()
        return {tuple(words[at : at + 3]) for at in range(max(len(words) - 2, 1))} - {()}

    shared, all_runs = runs(one) & runs(other), runs(one) | runs(other)
    expected = len(shared) / len(all_runs) if runs(one) and runs(other) else 0
    assert text_similarity(one, other) == text_similarity(other, one) == pytest.approx(expected)


@given(TEXTS, st.lists(TEXTS, max_size=12), st.floats(0.05, 1))
def test_the_quick_search_finds_what_comparing_all_finds(text, texts, at_least):
    post = fingerprint("new", title="", text=text)
    earlier = [fingerprint(str(number), title="", text=other) for number, other in enumerate(texts)]
    best = max((similarity(post, other) for other in earlier), default=0)
    match = most_similar(post, earlier, at_least=at_least)
    if best >= at_least:
        assert match is not None and match.text == best
    else:
        assert match is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_title_similarity_is_symmetric_and_at_most_one(one, other):
    assert title_similarity(one, other) == title_similarity(other, one)
    assert 0 <= title_similarity(one, other) <= 1


def test_thousands_of_posts_are_compared_in_little_time():
    earlier = [
        fingerprint(str(seed), title="t", text=" ".join(article_of(400, seed))) for seed in range(200)
    ] * 10
    post = fingerprint("new", title="x", text=" ".join(article_of(400, seed=1_000)))
    started = time.process_time()
    assert most_similar(post, earlier) is None
    assert time.process_time() - started < 1


def test_near_duplicates_have_a_part_of_their_sketches_in_common_and_strangers_have_not():
    chance = random.Random(7)
    words = [f"word{number}" for number in range(3000)]
    text = [chance.choice(words) for _ in range(800)]
    one = fingerprint("1", title="", text=" ".join(text))
    for _ in range(50):
        other = [chance.choice(words) if chance.random() < 0.1 else word for word in text]
        changed = fingerprint("2", title="", text=" ".join(other))
        assert similarity(one, changed) > 0.45
        assert set(one.sketch) & set(changed.sketch)
    stranger = fingerprint("3", title="", text=" ".join(chance.choice(words) for _ in range(800)))
    assert not set(one.sketch) & set(stranger.sketch)


def test_a_short_text_is_all_in_its_sketch():
    short = fingerprint("1", title="", text="Only these few words")
    assert set(short.sketch) == short.runs
