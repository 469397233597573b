"""The digest quotes, and does nothing else."""

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publishing.digests.articles import gather
from publishing.digests.selection import choose
from publishing.feeds.sanitise import clean_html, plain_text
from publishing.tests.articles import Page, article, articles
from publishing.words import mentions
from publishing.writers import Body, Brief, Item, Length, Meta, Usage, WriterRefused
from publishing.writers.digest import DigestWriter

ROOT = Path(__file__).resolve().parents[2]
WRITER = DigestWriter()


def written(brief: Brief) -> tuple[Body, Meta]:
    body = WRITER.body(brief, WRITER.outline(brief).result).result
    return body, WRITER.meta(brief, body).result


def text_of(item: Item) -> str:
    return plain_text(clean_html(item.html), 1_000_000)


def assert_invents_nothing(brief: Brief, page: Page) -> None:
    by_url = {item.url: item for item in brief.items}
    assert page.quotations
    for address, sentence in page.quotations:
        assert sentence in text_of(by_url[address])


@pytest.mark.parametrize("length", Length)
def test_a_digest_has_as_many_words_as_were_asked_for(length):
    fewest, most = length.words
    for count in (60, 200):
        body, _ = written(Brief(items=articles(count), length=length))
        assert fewest <= Page(body["html"]).words <= most and body["notes"] == []


def test_every_quoted_sentence_stands_in_its_item_and_links_to_it():
    brief = Brief(items=articles(40), length=Length.LONG)
    body, _ = written(brief)
    page = Page(body["html"])
    assert_invents_nothing(brief, page)
    links = dict(page.links)
    assert {address for address, _ in page.quotations} == set(links)
    assert set(links) == {item.url for item in brief.items if item.id in body["item_ids"]}


def test_all_else_is_headings_from_titles_counts_dates_and_names_of_sources():
    brief = Brief(items=articles(12), length=Length.SHORT)
    body, _ = written(brief)
    page = Page(body["html"])
    used = {item.id: item for item in brief.items if item.id in body["item_ids"]}
    titles = {item.title for item in used.values()}
    assert {text for _, text in page.headings} == titles | {"Sources"}
    names = len({item.source_name for item in used.values()})
    assert page.blocks[0].startswith(
        f"This round-up quotes {len(used)} articles from {names} sources: Source "
    )
    assert "They were published between 16 November 2026 and 20 November 2026." in page.blocks[0]
    sentences = {sentence for _, sentence in page.quotations}
    others = [block for block in page.blocks[2:] if block not in sentences | titles | {"Sources"}]
    for block in others:
        assert any(item.source_name in block and block.endswith("November 2026") for item in used.values())


def test_articles_about_the_same_stand_together_under_one_heading():
    body, _ = written(Brief(items=articles(24), length=Length.LONG))
    groups: list[list[str]] = []
    for level, title in Page(body["html"]).headings[:-1]:
        if level == "h2":
            groups.append([])
        groups[-1].append(title.partition(" tells")[0])
    assert len(groups) == 8 and all(len(set(group)) == 1 and len(group) == 3 for group in groups)


def test_the_order_of_the_items_means_nothing():
    items = list(articles(50))
    items += [replace(items[0], id=1000 + n) for n in range(3)]
    first = written(Brief(items=tuple(items), keyword="river flood"))
    for seed in range(4):
        random.Random(seed).shuffle(items)
        assert written(Brief(items=tuple(items), keyword="river flood")) == first


def test_every_process_writes_the_same():
    code = (
        "import sys; from publishing.tests.articles import articles; from publishing.writers import Brief\n"
        "from publishing.writers.digest import DigestWriter as W; b = Brief(items=articles(30))\n"
        "body = W().body(b, W().outline(b).result).result; print(body, W().meta(b, body).result)"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(outputs) == 1 and len(outputs.pop()) > 1000


def test_keywords_to_avoid_occur_nowhere():
    items = articles(60)
    avoid = ("Ferry", "telescope", "source 3", "in March")
    assert all(
        any(mentions(f"{item.title} {text_of(item)} {item.source_name}", word) for item in items)
        for word in avoid
    )
    body, meta = written(Brief(items=items, avoid=avoid, further_keywords=("ferry",)))
    page = Page(body["html"])
    told = [*page.blocks, *(str(value) for value in meta.values())]
    assert not [(text, word) for text in told for word in avoid if mentions(text, word)]
    assert len(body["item_ids"]) > 5


def test_contradicting_wishes_are_refused():
    with pytest.raises(WriterRefused, match="main keyword “old ferry”"):
        WRITER.outline(Brief(items=articles(20), keyword="old ferry", avoid=("ferry",)))
    brief = Brief(items=articles(20), avoid=("round-up",))
    with pytest.raises(WriterRefused, match="“round-up” is one of the digest's own words"):
        written(brief)


def test_too_little_material_is_refused_with_what_is_missing():
    one, two, three, four = articles(4)
    items = (
        one,
        replace(two, url="javascript:alert(1)"),
        replace(three, html="<p>Read more</p>"),
        replace(four, title="All about casinos"),
    )
    with pytest.raises(WriterRefused) as caught:
        WRITER.outline(Brief(items=items, avoid=("casinos",)))
    assert str(caught.value) == (
        "A digest needs at least 2 items with sentences to quote, and of the 4 given 1 can be used: "
        "1 had a keyword to avoid, 1 had no sentence that can be quoted, 1 had no web address."
    )
    with pytest.raises(WriterRefused, match="of the 0 given 0 can be used"):
        WRITER.outline(Brief())
    with pytest.raises(WriterRefused, match=r"material for \d+ words, and 3000 are wanted"):
        written(Brief(items=articles(4), length=Length.VERY_LONG))


def test_a_text_that_got_shorter_than_wanted_says_so():
    body, _ = written(Brief(items=articles(3), length=Length.SHORT))
    assert 250 <= Page(body["html"]).words < 500
    assert [note for note in body["notes"] if "500 were wanted" in note]


def test_the_main_keyword_leads_when_items_name_it_and_only_then():
    items = articles(40)
    body, meta = written(Brief(items=items, keyword="Wind  turbine", topic="Something else"))
    page = Page(body["html"])
    assert page.blocks[0].startswith("Wind turbine: This round-up")
    assert "wind turbine" in page.headings[0][1]
    assert meta["title"].startswith("Wind turbine: ") and meta["keywords"][0].split() == ["Wind", "turbine"]
    body, meta = written(Brief(items=items, keyword="unicorn", further_keywords=("dragon",)))
    assert (
        "unicorn" not in body["html"]
        and "unicorn" not in json.dumps(meta)
        and "dragon" not in json.dumps(meta)
    )
    assert body["notes"] == ["The main keyword “unicorn” occurs in none of the items quoted."]


def test_a_topic_brings_its_articles_forward():
    body, _ = written(
        Brief(items=articles(40), topic="What became of the comet survey?", length=Length.SHORT)
    )
    assert "comet survey" in Page(body["html"]).headings[0][1]


def test_at_most_four_sentences_of_an_item_are_quoted_and_none_twice():
    twins = tuple(
        replace(item, id=item.id + 500, url=item.url + "/copy", source_name="Copy") for item in articles(10)
    )
    body, _ = written(Brief(items=articles(10) + twins, length=Length.MEDIUM))
    quotations = Page(body["html"]).quotations
    assert len({sentence for _, sentence in quotations}) == len(quotations)
    per_item = [sum(address == url for address, _ in quotations) for url in {url for url, _ in quotations}]
    assert max(per_item) <= 4


def test_a_sentence_that_leans_on_another_is_quoted_only_after_it():
    items = [
        replace(
            article(number),
            html=f"<p>Too short. They will cross the new bridge of Saint {name} to the river again.</p>"
            + article(number, sentences=3).html,
        )
        for number, name in enumerate(["Anna", "Bruno", "Clara"], start=1)
    ]
    told = "The mayor of Ives opened a bicycle bridge on Monday morning. It will carry bicycles over the old bridge."
    items += [replace(article(4), html=f"<p>{told}</p>"), *articles(20)[5:]]
    body, _ = written(Brief(items=tuple(items), keyword="bridge", length=Length.MEDIUM))
    sentences = [sentence for _, sentence in Page(body["html"]).quotations]
    assert not [sentence for sentence in sentences if sentence.startswith("They")]
    assert " ".join(sentences[sentences.index(told.split(". ")[0] + ".") :][:2]) == told


def test_what_a_source_puts_under_all_its_items_is_not_quoted():
    footer = "<p>The harbour office has been answering questions about ferries since 1871.</p>"
    items = tuple(replace(item, html=footer + item.html) for item in articles(15))
    body, _ = written(Brief(items=items, topic="The harbour office answers questions about ferries"))
    assert "since 1871" not in body["html"]
    with pytest.raises(WriterRefused, match="15 had only sentences that its source repeats"):
        WRITER.outline(Brief(items=tuple(replace(item, html=footer) for item in items)))


def test_a_page_that_several_feeds_name_is_quoted_once():
    copies = tuple(replace(item, id=item.id + 500, source_name="Copy") for item in articles(10))
    body, _ = written(Brief(items=articles(10) + copies, length=Length.MEDIUM))
    cited = [attributes["cite"] for name, attributes in Page(body["html"]).elements if name == "blockquote"]
    assert len(cited) == len(set(cited)) == len(body["item_ids"])


def test_long_titles_and_sentences_do_not_make_the_text_longer_than_wanted():
    def long(item: Item) -> Item:
        told = item.html.replace("<p>", "").replace("</p>", " ").split(". ")
        joined = [
            f"{one}, and {two[0].lower()}{two[1:]}." for one, two in zip(told[::2], told[1::2], strict=False)
        ]
        title = f"{item.title} " + "a b c d e f g " * 9
        return replace(
            item, title=title, html=f"<p>{' '.join(joined)}</p>", source_name="A B C D E F G H I J K L M"
        )

    for count in range(8, 40):
        brief = Brief(items=tuple(map(long, articles(count))), length=Length.SHORT)
        body, _ = written(brief)
        assert 500 <= Page(body["html"]).words <= 700
        chosen = choose(gather(brief).articles, (500, 520))
        assert sum(one.article.frame_words + sum(s.words for s in one.sentences) for one in chosen) <= 520


def test_languages_have_their_own_frame_and_others_get_the_english_one_and_a_note():
    frames = {
        "en-GB": ("This round-up quotes 6 articles from 5 sources", "Sources", "20 November 2026"),
        "de": ("Dieser Überblick zitiert 6 Artikel aus 5 Quellen", "Quellen", "20. November 2026"),
        "fr": ("Cette revue cite 6 articles de 5 sources", "Sources", "20 novembre 2026"),
        "es-MX": ("Este resumen cita 6 artículos de 5 fuentes", "Fuentes", "20 de noviembre de 2026"),
        "it": ("Questa rassegna cita 6 articoli da 5 fonti", "Fonti", "20 novembre 2026"),
        "pl": ("Ten przegląd cytuje 6 artykułów z 5 źródeł", "Źródła", "20 listopada 2026"),
        "sv": ("This round-up quotes 6 articles from 5 sources", "Sources", "20 November 2026"),
    }
    for language, (beginning, heading, date) in frames.items():
        body, _ = written(Brief(items=articles(6), length=Length.SHORT, language=language))
        page = Page(body["html"])
        assert page.blocks[0].startswith(beginning) and date in page.blocks[0]
        assert page.headings[-1] == ("h2", heading)
        assert bool(body["notes"]) == (language == "sv")


def test_a_digest_of_one_source_is_named_after_it():
    items = tuple(replace(item, source_name="Harbour Notes") for item in articles(12))
    body, meta = written(Brief(items=items, length=Length.SHORT))
    assert f"{len(body['item_ids'])} articles from Harbour Notes" in meta["title"]


def test_items_without_title_or_date_are_named_by_their_source():
    bare = replace(article(1), title=" ", published_at=None, source_name="")
    body, _ = written(Brief(items=(bare, *articles(6)[1:]), length=Length.SHORT))
    assert "source-1.example" in [text for _, text in Page(body["html"]).headings]


def test_nothing_is_told_of_dates_that_are_unknown():
    items = tuple(replace(item, published_at=None) for item in articles(8))
    body, meta = written(Brief(items=items, length=Length.SHORT))
    assert "published" not in Page(body["html"]).blocks[0] and not meta["title"].endswith("2026")


def test_an_item_that_changed_since_the_outline_is_not_misquoted():
    brief = Brief(items=articles(20))
    outline = WRITER.outline(brief).result
    changed = tuple(replace(item, html=item.html.replace(" the ", " a ")) for item in brief.items)
    with pytest.raises(WriterRefused, match="has changed"):
        WRITER.body(replace(brief, items=changed), outline)
    with pytest.raises(WriterRefused, match="no longer of the brief"):
        WRITER.body(replace(brief, items=()), outline)
    with pytest.raises(WriterRefused, match="not made by this writer"):
        WRITER.body(brief, {"headings": ["Somebody else's"]})
    with pytest.raises(WriterRefused, match="chosen before"):
        WRITER.body(replace(brief, avoid=("apple",)), outline)


def test_it_costs_nothing():
    assert WRITER.outline(Brief(items=articles(10))).usage == Usage(model="digest")


def test_hostile_titles_names_and_addresses_stay_text():
    evil = '"><script>alert(1)</script><h1 onclick=x>&lt;b&gt;\u202e'
    items = tuple(
        replace(item, title=f"{evil} {item.id}", source_name=evil, url=f'{item.url}?"><script>&quot;onload=x')
        for item in articles(12)
    )
    body, meta = written(Brief(items=items, length=Length.SHORT, topic=evil, keyword="<i>"))
    page = Page(body["html"])
    assert not {"script", "h1", "b", "i"} & {name for name, _ in page.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on")]
    assert clean_html(body["html"]) == body["html"] and "\u202e" not in body["html"]
    assert any("<script>" in text for _, text in page.headings), "shown as the text that it is"
    assert len(meta["meta_title"]) <= 70


PIECES = st.sampled_from(
    [
        "<script>alert('The ferry leaves the harbour at ten today.')</script>",
        "<p onclick='x'>The <b>new ferry</b> leaves &amp; comes back <i>before the tide</i> turns again.</p>",
        "<img src=x onerror=alert(1)>",
        "<nav><a href='/'>Home and all the other pages that we have.</a></nav>",
        "<div>The captain waited <nav>for</nav> the passengers of the first crossing.</div>",
        "<p>He said &lt;script&gt;alert(1)&lt;/script&gt; and left the pier with his dog.</p>",
        "<a href='javascript:alert(1)'>The whole sentence is a link to something quite dangerous.</a>",
        "<p>The price was <s>one hundred</s> ninety euros for a ticket to the island.</p>",
        "<table><tr><td>The cell holds a sentence that belongs to a table.",
        "</div></p></blockquote><h1>The heading tries to get out of the quotation.</h1>",
        "<svg><style><!--</style><p>The comment never ends and hides what follows it.</p>",
        "<iframe src='//evil.example'>", "<![CDATA[", "<!--", "-->", "\x00", "&#x202e;", "&#1;", "\ue000", " ", "…",
        "The rain of the afternoon fell on the quay. “The quotation is not closed at all. ",
        "Dr. Smith measured 3.5 metres at 7 a.m. in the harbour of St. Ives! Was it enough for all of them? ",
    ]
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(st.lists(PIECES | st.text(max_size=30), max_size=12).map("".join), min_size=1, max_size=4))
def test_hostile_items_are_quoted_verbatim_and_stay_harmless(texts):
    items = tuple(
        replace(article(number), html=text + article(number).html)
        for number, text in enumerate(texts, start=1)
    )
    brief = Brief(items=items + tuple(article(number) for number in range(100, 106)), length=Length.SHORT)
    body, _ = written(brief)
    page = Page(body["html"])
    assert_invents_nothing(brief, page)
    assert clean_html(body["html"]) == body["html"]
    allowed = {"p", "strong", "h2", "h3", "figure", "blockquote", "figcaption", "a", "time", "ul", "li"}
    assert {name for name, _ in page.elements} <= allowed
    assert all(url.startswith("https://source-") for url, _ in page.links)


def test_two_hundred_long_items_take_less_than_two_seconds():
    items = tuple(article(number, sentences=60) for number in range(200))
    assert sum(len(item.html) for item in items) > 1_000_000
    started = time.process_time()
    written(Brief(items=items, length=Length.VERY_LONG))
    assert time.process_time() - started < 2


def test_the_newest_date_is_told_in_utc():
    items = tuple(
        replace(item, published_at=datetime.fromisoformat("2026-03-01T00:30:00+02:00"))
        for item in articles(8)
    )
    body, meta = written(Brief(items=items, length=Length.SHORT))
    assert "All were published on 28 February 2026." in body["html"] and "2026-02-28" in body["html"]
    assert meta["title"].endswith("28 February 2026")
