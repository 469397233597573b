import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.seo.words import atoms, shortened, split_sentences, words


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("don't stop", 2),
        ("state-of-the-art 3.14 and 1,000,000", 4),
        ("rock 'n' roll", 3),
        ("a – b", 2),
        ("हिन्दी में", 2),
        ("機械学習", 4),
        ("Straße, naïve; cafe\u0301", 3),
        ("one.two", 2),
        ("…!?", 0),
    ],
)
def test_words_are_counted_as_people_count_them(text, count):
    assert len(words(text)) == count


@pytest.mark.parametrize(
    ("language", "text", "count"),
    [
        ("en", "Dr. Smith met Mr. J. R. Jones, e.g. in St. Ives. So did I. They left!", 3),
        ("en", "“Stop!” he said. Really?! Yes… No.", 4),
        ("en", "Version 3.14 of example.com is out. It works", 2),
        ("de", "Am 3. Mai kam z.B. Dr. Weiß. Er blieb bis 1989. Dann ging er.", 3),
        ("en", "It was chapter 3. Then it ended.", 2),
        ("ja", "これは本です。それはペンです。", 2),
        ("hi", "यह किताब है। वह कलम है।", 2),
        ("en", "***", 0),
    ],
)
def test_sentences_end_where_readers_stop(language, text, count):
    assert len(split_sentences(text, language)) == count


def test_atoms_are_the_same_for_everything_that_reads_the_same():
    assert atoms("CAFE\u0301 l'été Machine-Learning İstanbul") == (
        "café", "l", "été", "machine", "learning", "istanbul",
    )  # fmt: skip
    assert atoms("C++ C# C foo#bar 1+1") == ("c++", "c#", "c", "foo", "bar", "1", "1")


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("one two three", 13, "one two three"),
        ("one two, three", 12, "one two …"),
        ("unbreakable", 6, "unbre…"),
        ("  one\n two ", 20, "one two"),
    ],
)
def test_texts_are_shortened_between_words(text, limit, short):
    assert shortened(text, limit) == short


@given(st.text(max_size=200), st.integers(10, 100))
def test_a_shortened_text_is_never_too_long(text, limit):
    assert len(shortened(text, limit)) <= limit
