import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.seo.text import Heading, Image, Link, read
from publishing.seo.words import words

WORDS = st.text("abcdefghijklmnopqrstuvwxyzäéñßçøżд", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=60)


def test_scripts_styles_and_what_is_hidden_are_no_text():
    document = read(
        "<style>p{}</style><p>One<script>var two = 2</script> three</p><!-- four --><p hidden>five</p>"
        "<template>six</template><noscript>seven</noscript><div hidden><p>eight</p><img src='https://a.example/x.png'></div>"
    )
    assert document.text == "One three"
    assert document.images == ()


def test_block_elements_part_words_and_inline_elements_do_not():
    document = read(
        "<ul><li>one</li><li>two</li></ul><p>th<b>re</b>e<br>four</p><table><tr><td>five</td><td>six</td></tr></table>"
    )
    assert document.text.split() == ["one", "two", "three", "four", "five", "six"]
    assert document.word_count == 6


def test_entities_and_invisible_characters_are_read_as_people_see_them():
    document = read("<p>Caf&eacute;&nbsp;&amp; Zeit&shy;geist&#8203; &lt;b&gt;</p>")
    assert document.text == "Café & Zeitgeist <b>"


def test_the_structure_is_told():
    document = read(
        "<h1>All <em>about</em> cats</h1><h2>One</h2><h2></h2><h3>Two</h3><ul><li>a<ol><li>b</li></ol></li><li>c</li></ul><ul></ul>"
        '<p><a href="https://a.example/x"><img src="https://a.example/i.png" alt="A cat"> more</a><a href="javascript:x()">bad</a>'
        '<img src="/plain.png"><img src="/decoration.png" alt=""></p>'
    )
    assert document.headings == (Heading(1, "All about cats"), Heading(2, "One"), Heading(3, "Two"))
    assert document.lists == 2
    assert document.links == (Link("https://a.example/x", "A cat more"), Link("", "bad"))
    assert document.images == (
        Image("https://a.example/i.png", "A cat"),
        Image("/plain.png", None),
        Image("/decoration.png", ""),
    )
    assert (document.count_headings(2), document.count_headings(4)) == (1, 0)


def test_an_unclosed_frame_does_not_swallow_the_post():
    assert read('<p>One</p><iframe src="https://a.example/"/><p>Two</p>').text == "One\nTwo"


def test_the_first_words_end_with_the_last_of_them():
    document = read("<h2>one two,</h2><p>three four. Five</p>")
    assert document.first_words(3) == "one two,\nthree"
    assert document.first_words(100) == document.text
    assert read("").first_words() == ""


def test_code_is_no_sentence():
    document = read("<p>Read this.</p><pre><code>x = 1. Y = 2.</code></pre>")
    assert document.sentences() == ("Read this.",)
    assert "x = 1" in document.text


@given(TEXTS, st.randoms(use_true_random=False))
def test_markup_between_words_changes_nothing(found, random):
    plain = read(f"<p>{' '.join(found)}</p>")
    dressed = []
    for word in found:
        form = random.choice(
            [
                "{}",
                "<b>{}</b>",
                "<SPAN class=x>{}</SPAN>",
                "<!-- no -->{}",
                "<i><u>{}</u></i>",
                "{}<script>x</script>",
            ]
        )
        dressed.append(form.format(word))
    assert read(f"<p>{'  '.join(dressed)}</p>") == plain
    assert plain.word_count == len(found)


@given(TEXTS)
def test_blocks_count_the_same_words_as_spaces_do(found):
    for tag in ("p", "li", "td", "div", "h2"):
        inside = "".join(f"<{tag}>{word}</{tag}>" for word in found)
        html = f"<table><tr>{inside}</tr></table>" if tag == "td" else inside
        assert read(html).text.split("\n") == found


@given(st.text(max_size=300))
def test_anything_can_be_read(html):
    document = read(html)
    assert document.word_count == len(words(document.text))
    assert len(document.sentences()) <= max(document.word_count, 0)


@pytest.mark.parametrize(
    "html",
    ["<div>" * 50_000 + "deep", "<p " * 50_000, "<!--" * 50_000, "<a href='" * 50_000, "a." * 200_000, "." * 500_000, "<b>x</b>" * 40_000, "A. " * 100_000],
    ids=["deep", "unfinished tags", "comments", "attributes", "words and dots", "dots", "many", "initials"],
)  # fmt: skip
def test_hostile_text_takes_little_time(html):
    started = time.process_time()
    read(html).sentences()
    assert time.process_time() - started < 5
