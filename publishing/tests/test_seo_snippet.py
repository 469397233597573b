import pytest
from hypothesis import given
from hypothesis import strategies as st

from publishing.seo.snippet import TITLE_CHARS, TITLE_PIXELS, breadcrumb, pixels, snippet

URL = "https://blog.example/news/roses/"


def test_what_fits_is_shown_whole():
    shown = snippet(title="Roses in winter", url=URL, description="How to keep them.")
    assert (shown.title, shown.is_title_cut) == ("Roses in winter", False)
    assert (shown.description, shown.is_description_cut) == ("How to keep them.", False)
    assert shown.breadcrumb == "https://blog.example › news › roses"


def test_a_long_title_is_cut_between_words_within_60_characters():
    shown = snippet(title="it is still little " * 6, url=URL)
    assert shown.title == "it is still little it is still little it is still little …"
    assert shown.is_title_cut


def test_a_wide_title_is_cut_before_60_characters():
    title = "WORLD MARKETS TUMBLE AS MAJOR BANKS WARN OF MORE WOE"
    shown = snippet(title=title, url=URL)
    assert len(title) < TITLE_CHARS and shown.title_pixels > TITLE_PIXELS
    assert shown.is_title_cut and shown.title.endswith(" …")
    assert pixels(shown.title) <= TITLE_PIXELS


def test_widths_follow_the_font():
    assert pixels("iiii") < pixels("nnnn") < pixels("WWWW")
    assert pixels("Hello") == round((722 + 556 + 222 + 222 + 556) * 20 / 1000)
    assert pixels("é") == pixels("e") == pixels("e\u0301")
    assert pixels("漢") == 20


def test_a_long_description_is_cut_at_160_characters():
    shown = snippet(title="x", url=URL, description="word " * 60)
    assert shown.is_description_cut and shown.description.endswith("word …")
    assert 150 < len(shown.description) <= 160


def test_without_a_description_the_text_stands_in_for_it():
    shown = snippet(title="x", url=URL, description=" ", text="The beginning.\nMore.")
    assert (shown.description, shown.is_description_from_text) == ("The beginning. More.", True)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://blog.example", "https://blog.example"),
        ("https://user:secret@blog.example:8000/a//b/?q=1#x", "https://blog.example:8000 › a › b"),
        ("https://blog.example/caf%C3%A9", "https://blog.example › café"),
        ("/my-post", "my-post"),
    ],
)
def test_the_address_is_shown_as_a_trail(url, shown):
    assert breadcrumb(url) == shown


@given(st.text(max_size=200), st.text(max_size=300))
def test_nothing_shown_is_ever_too_long(title, description):
    shown = snippet(title=title, url=URL, description=description)
    assert len(shown.title) <= TITLE_CHARS and pixels(shown.title) <= TITLE_PIXELS
    assert len(shown.description) <= 160
