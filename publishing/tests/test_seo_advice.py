from publishing.seo.advice import advice
from publishing.seo.score import PostContent
from publishing.seo.text import read


def advice_for(html, **values):
    return advice(PostContent(title="x", html=html, **values), read(html))


def test_a_sound_post_needs_no_advice():
    html = (
        '<h2>One</h2><p>Words and <a href="https://a.example/">a link</a>.</p><h3>Two</h3><h2>Three</h2>'
        '<img src="https://a.example/i.png" alt="A rose">'
    )
    assert advice_for(html, slug="red-roses", keyword="Red roses") == ()
    assert advice_for("") == ()


def test_headings_that_skip_a_level_or_repeat_the_title_are_named():
    first, second = advice_for('<h1>Title</h1><h3>Deep</h3><a href="https://a.example/">x</a>')
    assert "level 2" in first
    assert second == "The heading “Deep” has level 3, though the one above it has level 1."


def test_links_that_lead_nowhere_or_say_nothing_are_named():
    assert advice_for('<a href="javascript:x()">Here</a><a href="https://a.example/"></a>') == (
        "The link “Here” leads nowhere.",
        "The link to https://a.example/ has no text.",
    )
    assert advice_for("<p>Words</p>") == ("Link to at least one other page: a source, or an earlier post.",)


def test_images_without_alternative_text_are_counted():
    (found,) = advice_for("<img src='/a.png'><img src='/b.png'><img src='/c.png' alt=''>")
    assert found.startswith("2 images have no alternative text")


def test_the_address_should_be_short_and_have_the_keyword():
    link = '<a href="https://a.example/">x</a>'
    assert advice_for(link, slug="winter-garden", keyword="roses") == (
        "Put the keyword “roses” into the address.",
    )
    assert advice_for(link, slug="a" * 76) == ("Shorten the address to 75 characters; now it has 76.",)
