"""HTML as Markdown: read by a Markdown reader, it says what it said, and no text of it has become markup."""

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from publishing.feeds.sanitise import clean_html, plain_text
from publishing.publishers.markdown import markdown_of


def read_back(body_html: str) -> str:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return str(reader.render(markdown_of(clean_html(body_html))))


@pytest.mark.parametrize(
    "body",
    [
        "<h2>A heading</h2>\n<p>A <strong>bold</strong> and an <em>odd</em> word.</p>",
        '<p>A <a href="http://blog.example/a">link</a>.</p>',
        "<blockquote>\n<p>Quoted</p>\n</blockquote>",
        "<ul>\n<li>one</li>\n<li>two</li>\n</ul>",
        "<ol>\n<li>one</li>\n<li>two</li>\n</ol>",
        "<pre><code>if a &lt; b:\n    return *c\n</code></pre>",
        "<p>Run <code>make *</code> now</p>",
    ],
)
def test_what_articles_are_made_of_survives(body):
    assert read_back(body).strip() == body


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "# no heading",
        "1. no list",
        "- no list",
        "*not* _emphasised_ `code`",
        "[no](http://link.example)",
        "![no](http://image.example)",
        "a & b &lt; c",
        "~~~",
        "---",
        "> no quotation",
        "a | b",
        "C:\\new",
    ],
)
def test_text_stays_text(text):
    back = read_back(f"<p>{html.escape(text)}</p>")
    assert back.startswith("<p>")
    assert back.count("<") == 2
    assert html.unescape(back.removeprefix("<p>").removesuffix("</p>\n")) == text


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=40))
def test_any_text_stays_text(text):
    back = read_back(f"<p>x {html.escape(text)}</p>")
    assert plain_text(back).removeprefix("x").strip() == plain_text(f"<p>{html.escape(text)}</p>")


def test_template_tags_are_no_template_tags_any_more():
    written = markdown_of("<p>{% include secrets %} {{ site.token }} {{{ x }}}</p>")
    assert "{%" not in written
    assert "{{" not in written
    assert "{{ site.token }}" in html.unescape(written)


def test_code_with_a_fence_in_it_does_not_end_early():
    back = read_back("<pre><code>```\n&lt;b&gt;\n```</code></pre>")
    assert back == "<pre><code>```\n&lt;b&gt;\n```\n</code></pre>\n"


def test_addresses_and_words_of_images_cannot_break_out():
    body = '<p><img src="http://a.example/x)y" alt="](http://b.example) &lt;script&gt;"> <a href="http://a.example/(b">c</a></p>'
    back = read_back(body)
    assert 'src="http://a.example/x%29y"' in back
    assert 'href="http://a.example/%28b"' in back
    assert "<script>" not in back
    assert "b.example" not in back.replace('alt="](http://b.example) &lt;script&gt;"', "")
