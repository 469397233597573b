"""Where each passage of a post comes from, told by its links."""

from publishing import provenance
from publishing.models import PostSource

HTML = """
<p>An introduction.</p>
<h2>The ferry</h2>
<figure><blockquote cite="https://a.example/1"><p>It leaves at seven.</p><p>It is full.</p></blockquote>
<figcaption><a href="https://a.example/1">Harbour Notes</a>, <time>22 November</time></figcaption></figure>
<p>Seals <a href="https://b.example/2">sleep</a> here, <a href="https://c.example/">they say</a>.</p>
<h2>Sources</h2><ul><li><a href="https://a.example/1">The ferry</a>, Harbour Notes</li></ul>
"""
SOURCES = [
    PostSource(position=1, title="The ferry", url="https://a.example/1"),
    PostSource(position=2, title="Seals", url="https://b.example/2"),
    PostSource(position=3, title="A text from a letter", url=""),
]


def test_a_quotation_belongs_to_the_source_that_its_caption_links_to():
    passages = provenance.passages(HTML, SOURCES)
    (quoted,) = provenance.of_source(1, passages)
    assert quoted.text == "It leaves at seven. It is full."
    assert (quoted.sources, quoted.is_unsupported) == ((1,), False)


def test_a_paragraph_names_its_source_and_other_addresses_it_links_to():
    (seals,) = provenance.of_source(2, provenance.passages(HTML, SOURCES))
    assert seals.text == "Seals sleep here, they say."
    assert seals.urls == ("https://b.example/2", "https://c.example/")


def test_what_links_to_nothing_is_told_and_headings_need_no_link():
    passages = provenance.passages(HTML, SOURCES)
    assert [one.text for one in passages if one.is_unsupported] == ["An introduction."]
    assert [one.text for one in passages if one.is_heading] == ["The ferry", "Sources"]


def test_the_list_of_sources_is_no_evidence():
    last = provenance.passages(HTML, SOURCES)[-1]
    assert (last.is_reference, last.sources) == (True, (1,))
    assert provenance.of_source(3, provenance.passages(HTML, SOURCES)) == []


def test_text_outside_of_everything_and_broken_html_are_read_too():
    texts = [one.text for one in provenance.passages("Loose <b>text<p>One<p>Two</b><script>x()</script> end")]
    assert " ".join(texts).split() == ["Loose", "text", "One", "Two", "end"]
    assert provenance.passages("") == []
