import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.seo import syllables
from publishing.seo.readability import FORMULAS, readability
from publishing.seo.text import read

#: Words by their number of syllables, as dictionaries give them.
ENGLISH = {
    1: "the cat make through strength queue world called loved times lives months clothes don't they're eight friend "
    "fruit noise straight whole breathe laughed we've",
    2: "table people given going being quiet poem ruin wanted boxes places careful movement sometimes something "
    "lonely statement didn't science lion nation social precious language rhythm prism player beyond homework centre "
    "handled garden reason believe honest naïve pages judges church's fuel café awful business guitar guidance",
    3: "area idea radio video media quietly wonderful syllable banana energy completely piano potato "
    "remember example happiest easier actual poetry creative serious violin recipe heroic genuine "
    "important continue various reliance studio",
    4: "information material education society experience january situation community "
    "especially biology discovery original economy catastrophe",
    5: "university international opportunity electricity imagination communication organization curiosity "
    "creativity simultaneous capitalism",
    6: "responsibility encyclopedia availability",
}  # fmt: skip
ENGLISH_CASES = [(word, number) for number, names in ENGLISH.items() for word in names.split()]


@pytest.mark.parametrize(("word", "number"), ENGLISH_CASES)
def test_syllables_of_english_words(word, number):
    assert syllables.count(word, "en") == number


OTHERS = {
    "de": "Haus 1, Bäume 2, Freundschaft 2, Straße 2, Quelle 2, Nation 3, Theater 3, geehrt 2, beeinflussen 4, "
    "Spanien 3, Wien 1, Verständlichkeit 4, Zeitung 2, Möglichkeiten 4, Donaudampfschifffahrt 5, Idee 2, Europa 3",
    "nl": "huis 1, nieuw 1, mooie 2, België 3, ideeën 3, leesbaarheid 3, cadeau 2, tijd 1, fietsen 2, vrouw 1",
    "es": "gato 2, ciudad 2, país 2, día 2, quien 1, mayo 2, muy 1, huye 2, teatro 3, guerra 2, pingüino 3, "
    "hacia 2, hacía 3, lecturabilidad 6, buey 1, caer 2, y 1",
    "it": "casa 2, uomo 2, guerra 2, leggibilità 5, poesia 3, città 2, più 1, acqua 2, aereo 4",
    "pt": "casa 2, não 1, história 3, economia 5, rua 2, água 2, coração 3, põe 1, leite 2, mãe 1, quente 2, saúde 3",
    "fr": "table 1, eau 1, oiseau 2, année 2, théâtre 2, client 2, voyage 2, naïf 2, chaos 2, lisibilité 5, maisons 2, "
    "que 1, le 1, cœur 1, pays 1, ville 1, quatre 1, université 5",
    "ru": "кот 1, молоко 3, читаемость 4, ёлка 2",
    "tr": "kitap 2, okunabilirlik 6, İstanbul 3, saat 2, ışık 2",
}  # fmt: skip
OTHER_CASES = [(language, *case.split()) for language, cases in OTHERS.items() for case in cases.split(", ")]


@pytest.mark.parametrize(("language", "word", "number"), OTHER_CASES)
def test_syllables_of_other_languages(language, word, number):
    assert syllables.count(word, language) == int(number)


def test_numbers_count_one_and_hyphens_part():
    assert syllables.count("2026") == 1
    assert syllables.count("well-known") == 2
    assert syllables.count("HTML") == 4


@given(st.text(max_size=30), st.sampled_from(sorted(syllables.LANGUAGES)))
def test_every_word_has_at_least_one_syllable(word, language):
    assert 1 <= syllables.count(word, language) <= max(1, len(word) * 4)


MOBY_DICK = """Though amid all the smoking horror and diabolism of a sea-fight, sharks will be seen longingly gazing up
to the ship’s decks, like hungry dogs round a table where red meat is being carved, ready to bolt down every killed man
that is tossed to them; and though, while the valiant butchers over the deck-table are thus cannibally carving each
other’s live meat with carving-knives all gilded and tasselled, the sharks, also, with their jewel-hilted mouths, are
quarrelsomely carving away under the table at the dead meat; and though, were you to turn the whole affair upside down,
it would still be pretty much the same thing, that is to say, a shocking sharkish business enough for all parties."""


@pytest.mark.parametrize(
    ("text", "score"),
    [
        # Examples that accounts of the formula give, with their published scores.
        ("This sentence, taken as a reading passage unto itself, is being used to prove a point.", 69.0),
        ("The Australian platypus is seemingly a hybrid of a mammal and reptilian creature.", 37.5),
        # 116.1 by the formula, which ends at 100.
        ("The cat sat on the mat.", 100.0),
        (MOBY_DICK, 0.0),
    ],
)
def test_published_examples_have_their_published_scores(text, score):
    assert readability(read(f"<p>{text}</p>"), "en-US").score == score


@pytest.mark.parametrize(
    ("language", "text", "counts", "score"),
    [
        # Words, sentences, syllables counted by hand; the score is the published formula of these.
        (
            "de",
            "Die Verständlichkeit der Zeitungen beschäftigt Wissenschaftler.",
            (6, 1, 16),
            180 - 6 - 58.5 * 16 / 6,
        ),
        (
            "es",
            "La universidad publica un libro de historia.",
            (7, 1, 16),
            206.84 - 0.6 * 1600 / 7 - 1.02 * 7,
        ),
        ("fr", "La bibliothèque publie un livre de géographie.", (7, 1, 14), 207 - 1.015 * 7 - 73.6 * 2),
        ("it", "La biblioteca pubblica un libro di matematica.", (7, 1, 17), 217 - 1.3 * 7 - 0.6 * 1700 / 7),
        (
            "nl",
            "De krant over de leesbaarheid van boeken is nieuw.",
            (9, 1, 13),
            206.84 - 0.93 * 9 - 77 * 13 / 9,
        ),
        (
            "pt",
            "A universidade publica um livro de economia.",
            (7, 1, 19),
            248.835 - 1.015 * 7 - 84.6 * 19 / 7,
        ),
        ("ru", "Кот спит. Собака пьёт молоко дома.", (6, 2, 11), 206.835 - 1.3 * 3 - 60.1 * 11 / 6),
        ("tr", "Üniversite yeni bir kitap yayımladı.", (5, 1, 14), 198.825 - 40.175 * 14 / 5 - 2.61 * 5),
    ],
)
def test_every_language_has_its_own_formula(language, text, counts, score):
    ease = readability(read(text), language)
    assert (ease.words, ease.sentences, ease.syllables) == counts
    assert 0 < score < 100
    assert ease.score == pytest.approx(score, abs=0.051)


def test_a_language_without_a_formula_has_no_score_and_says_why():
    ease = readability(read("<p>To jest zdanie.</p>"), "pl")
    assert (ease.score, ease.is_applicable, ease.level) == (None, False, "not applicable")
    assert ease.reason == "Not applicable: no Flesch formula has been published for the language “pl”."


def test_a_text_without_words_has_no_score_though_its_language_has_a_formula():
    ease = readability(read("<pre>only code</pre>"), "en")
    assert (ease.score, ease.is_applicable) == (None, True)


def test_every_formula_has_a_counter_of_syllables():
    assert set(FORMULAS) == syllables.LANGUAGES


def test_shorter_sentences_are_easier():
    long = readability(
        read("The old captain went to the ocean and the boy carried everything to the boat."), "en"
    )
    short = readability(
        read("The old captain went to the ocean. And the boy carried everything to the boat."), "en"
    )
    assert short.score is not None and long.score is not None and short.score > long.score


@given(st.text(max_size=200), st.sampled_from(sorted(FORMULAS)))
def test_a_score_lies_between_0_and_100(text, language):
    ease = readability(read(text), language)
    assert ease.score is None or 0 <= ease.score <= 100
