"""The keyword of a title, and the words it is found by."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.keywords import Document, keyword, keywords
from publishing.languages import language_of
from publishing.words import count_words, mentions, shortened, terms, words


@pytest.mark.parametrize(
    ("language", "title", "expected"),
    [
        ("en", "The morning ferry now leaves at 7:10", "morning ferry"),
        ("en", "How to find the Andromeda galaxy in four steps", "Andromeda galaxy"),
        ("en", "Why the Moon looks larger near the horizon", "Moon"),
        ("en", "7 Reasons Why Solar Panels Are Now Cheaper Than Ever", "Solar Panels"),
        ("de", "Wie die neue Wärmepumpe im Altbau funktioniert", "Wärmepumpe"),
        ("fr", "Pourquoi l'intelligence artificielle change tout", "intelligence artificielle"),
        ("es", "El nuevo plan de vivienda llega a Madrid", "plan de vivienda"),
        ("it", "Come cambia la dichiarazione dei redditi", "dichiarazione dei redditi"),
        ("en", "What the Bank of England thinks about rents", "Bank of England"),
        ("fr", "L'histoire de l'eau en sept cartes", "histoire de l'eau"),
        ("pl", "Nowe prawo pracy wchodzi w życie", "prawo pracy"),
        ("xx", "The big harbour", "harbour"),
    ],
)
def test_the_keyword_of_a_title_is_its_most_telling_phrase(language, title, expected):
    assert keyword(title, language=language) == expected


def test_words_that_all_titles_have_tell_little():
    others = [f"Harbour news: {word}" for word in ("weather", "storms", "prices", "people")]
    assert keyword("Harbour news and seals", others, language="en") == "seals"


def test_the_text_shows_which_word_the_article_is_about():
    text = "The lighthouse was built in 1871. The lighthouse has 112 steps, and the lighthouse keeper climbs them."
    assert keywords([Document("A walk, a keeper, a lighthouse", text)], "en") == ["lighthouse"]


def test_a_phrase_is_not_cut_off_before_its_noun():
    text = "Blood is made by hematopoietic stem cells. All hematopoietic stem cells come from the aorta; cells divide."
    others = [Document("Muscle cells", "Cells of muscle"), Document("Nerve cells", "Cells of nerves")]
    found = keywords([Document("The journey of hematopoietic stem cells", text), *others], "en")
    assert found == ["hematopoietic stem cells", "muscle cells", "Nerve cells"]


def test_the_capital_of_the_first_word_goes_when_it_is_only_that():
    assert keywords(
        [Document("Seals on the slipway", "Three seals made it their bed; seals sleep.")], "en"
    ) == ["seals"]
    assert keywords([Document("Madrid and the rain", "Madrid waits; Madrid is wet.")], "en") == ["Madrid"]


@pytest.mark.parametrize("title", ["", "The", "7:10", "!!!", "Is it not?", "—"])
def test_a_title_that_says_nothing_has_no_keyword(title):
    assert keyword(title, ["Other titles"], language="en") == ""


def test_keywords_do_not_depend_on_the_order_of_titles():
    titles = ["Ferry and harbour", "Harbour and tram", "Tram and orchard", "Orchard and ferry"]
    expected = dict(zip(titles, keywords([Document(title) for title in titles], "en"), strict=True))
    for seed in range(5):
        random.Random(seed).shuffle(titles)
        assert keywords([Document(title) for title in titles], "en") == [expected[title] for title in titles]


@given(st.lists(st.text(max_size=60), max_size=6), st.sampled_from(["en", "de", "fr", "pl", "ja", ""]))
def test_a_keyword_is_made_of_words_of_its_title(titles, language):
    for title, found in zip(titles, keywords([Document(title) for title in titles], language), strict=True):
        assert len(found) <= 80
        assert all(part.casefold() in title.casefold() for part in words(found)[:1])


def test_words_are_counted_in_any_script():
    assert count_words("It's 7:10, e-mail the U.S. office – now!") == 7
    assert count_words("新しい橋です") == 3
    assert count_words(" … — ") == 0


def test_whole_words_are_found_whatever_their_case():
    assert mentions("The FERRY’s Captain", "ferry's captain") and mentions("Straße", "STRASSE")
    assert mentions("C++ and C#", "c++") and mentions("東京タワー", "東京")
    assert not mentions("The ferryman", "ferry") and not mentions("anything", " ")


def test_terms_are_the_same_for_endings_and_articles():
    assert terms("The ferries of harbours", language_of("en")) == ["ferrie", "harbou"]
    assert terms("L’histoire de l'eau", language_of("fr")) == ["histoi", "eau"]


@given(st.text(), st.integers(min_value=2, max_value=80))
def test_a_shortened_text_fits_and_begins_as_it_did(text, limit):
    short = shortened(text, limit)
    assert len(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
