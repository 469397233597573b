"""Which sentences of a text can be quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.digests.sentences import quotable, running_text
from publishing.feeds.sanitise import clean_html, plain_text
from publishing.languages import language_of

FINE = "The ferry leaves the old harbour at ten."


def quoted(html: str, language: str = "en") -> list[str]:
    return [sentence.text for sentence in quotable(html, language_of(language))]


def test_sentences_are_parted_where_they_end():
    assert quoted(
        "<p>Dr. J. Smith measured 3.5 metres at St. Ives in May. “It was more than we had expected,” she said! "
        "Would the pier of the harbour hold until Friday? Nobody knew, e.g. the mayor of the town.</p>"
    ) == [
        "Dr. J. Smith measured 3.5 metres at St. Ives in May.",
        "“It was more than we had expected,” she said!",
        "Would the pier of the harbour hold until Friday?",
        "Nobody knew, e.g. the mayor of the town.",
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "de",
            "Am 3. Mai öffnet z. B. das Museum von Dr. Weiß wieder. Die Karten gibt es ab heute an der Kasse.",
        ),
        (
            "fr",
            "Le pont de M. Dupont rouvre lundi après trois mois. Les travaux ont coûté deux millions d'euros.",
        ),
        (
            "es",
            "El puente del Sr. García abre el lunes por la mañana. ¿Cuánto han costado las obras del puente?",
        ),
        (
            "it",
            "Il ponte del sig. Rossi riapre lunedì mattina presto. I lavori sono costati due milioni di euro.",
        ),
        (
            "pl",
            "Most przy ul. Długiej otworzą 3. Maja o godz. 10 rano. Prace kosztowały dwa miliony złotych i rok.",
        ),
        ("ja", "新しい橋は月曜日の朝に開通し、通行料は無料です。工事には三年と二百万円がかかりました。"),
    ],
)
def test_sentences_are_parted_in_other_languages(language, text):
    found = quoted(f"<p>{text}</p>", language)
    assert len(found) == 2 and ("" if language == "ja" else " ").join(found) == text


@pytest.mark.parametrize(
    "html",
    [
        "<p>Too short.</p>",
        "<p>" + "The ferry and " * 30 + "the harbour.</p>",
        "<h2>The heading of an article is no sentence of it.</h2>",
        "<nav>The pages of this site are to be found here.</nav>",
        "<p><a href='/x'>The next article is about the harbour of Ives</a>.</p>",
        "<p>Read more about the ferry and the harbour of Ives.</p>",
        "<p>The post The new ferry appeared first on Harbour Notes.</p>",
        "<p>Wir verwenden Cookies für die Seiten von diesem Hafen.</p>",
        "<p>The ferry leaves the old harbour at ten […]</p>",
        "<p>The ferry leaves the old harbour at ten...</p>",
        "<p>and the ferry leaves the old harbour at ten.</p>",
        "<p>“The ferry leaves the old harbour at ten.</p>",
        "<p>The ferry (leaves the old harbour at ten.</p>",
        "<p>THE FERRY LEAVES THE OLD HARBOUR AT TEN.</p>",
        "<p>Write to the captain of the ferry: someone@example.com today.</p>",
        "<p>12:00 13:30 15:00 16:30 18:00 ferry 21:00.</p>",
        "<p>The ferry leaves \u202ethe old harbour at ten.</p>",
        "<blockquote>The words of others are not those of the author.</blockquote>",
        "<pre>The code of a program is not a sentence.</pre>",
        "<p>The ticket to the island costs <del>ten</del> euros now.</p>",
        "The menu of the site<br>and something else that follows it.",
    ],
)
def test_what_says_nothing_alone_is_not_quoted(html):
    assert quoted(html) == []
    assert quoted(f"{html}<p>{FINE}</p>") == [FINE]


def test_marks_within_a_sentence_do_not_part_it():
    html = f"<div>\n  <p>The <b>ferry</b> <a href='/f'>leaves</a>\nthe&nbsp;old harbour <em>at</em> ten.</p></div>{FINE}"
    assert quoted(html) == [FINE, FINE]


def test_only_the_first_sentences_of_a_long_text_are_read():
    assert len(quoted(f"<p>{FINE}</p>" * 100)) == 24


@given(
    st.lists(
        st.sampled_from(["<p>", "</p>", "<br>", "<nav>", "</nav>", "<a>", "&lt;", FINE, " "]) | st.text()
    )
)
def test_every_sentence_stands_in_the_text_as_a_reader_sees_it(pieces):
    html = "".join(pieces)
    seen = plain_text(clean_html(html), 1_000_000)
    for sentence in quoted(html):
        assert sentence in running_text(html) and sentence in seen
