"""feedparser's public corpus through our feed path: 2,242 documents with what each should give."""

import os
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from publishing.feeds.document import ParsedFeed
from publishing.tests import feedparser_corpus as corpus

pytestmark = pytest.mark.conformance

REMAINDER = Path(__file__).parent / "samples" / "feedparser_remainder.toml"


@pytest.fixture(scope="module")
def documents() -> list[Path]:
    """The corpus; without a package index the test is skipped, unless REQUIRE_CONFORMANCE is set."""
    try:
        corpus.available()
    except corpus.NotDownloadable as error:
        if os.environ.get("REQUIRE_CONFORMANCE"):
            raise
        pytest.skip(str(error))
    return list(corpus.documents())


def name(path: Path) -> str:
    return path.relative_to(corpus.DOCUMENTS).as_posix()


def test_every_document_is_there_and_is_read_without_an_exception(documents):
    assert len(documents) == 2242
    failures = {}
    for path in documents:
        try:
            corpus.parsed(path)
        except Exception as error:  # noqa: BLE001 - the list of all failures is what helps
            failures[name(path)] = repr(error)
    assert failures == {}


def test_expectations_hold_except_for_the_explained_remainder(documents):
    groups = tomllib.loads(REMAINDER.read_text())["group"]
    explained = sorted(document for group in groups for document in group["documents"])
    assert all(group["reason"] for group in groups)
    verdicts = {name(path): corpus.verdict(path, corpus.expectation(path) or "0") for path in documents}
    judged = [verdict for verdict in verdicts.values() if verdict.in_scope]
    assert len(judged) >= 1498, "fewer expectations were judged than before"
    assert (
        sorted(path for path, verdict in verdicts.items() if verdict.in_scope and not verdict.holds)
        == explained
    )


FORBIDDEN_ELEMENTS = """applet base body button embed form frame frameset head html iframe input link math meta noscript
    object option script select style svg template textarea title"""
ADDRESS_ATTRIBUTES = "action background cite formaction href longdesc poster src srcset usemap"


def is_dangerous_address(address: str) -> bool:
    has_scheme = ":" in address.partition("/")[0]
    return has_scheme and not address.startswith(("http:", "https:", "mailto:"))


class _Danger(HTMLParser):
    """A checker that shares nothing with the sanitiser: lists what must never reach a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in FORBIDDEN_ELEMENTS.split():
            self.found.append(f"<{tag}>")
        for key, value in attrs:
            address = "".join((value or "").split()).lower()
            if key.startswith("on") or key in {"style", "id", "class", "srcdoc"}:
                self.found.append(key)
            elif key in ADDRESS_ATTRIBUTES.split() and is_dangerous_address(address):
                self.found.append(f"{key}={address[:40]}")

    handle_startendtag = handle_starttag


def pieces(feed: ParsedFeed) -> Iterator[str]:
    yield from (feed.title_html, feed.subtitle_html)
    for item in feed.items:
        yield from (item.title_html, item.summary_html, item.content_html)


def dangers(markup: str) -> list[str]:
    checker = _Danger()
    checker.feed(markup)
    checker.close()
    return checker.found


def test_nothing_dangerous_is_left_in_any_document(documents):
    unsafe = {
        name(path): found
        for path in documents
        if (found := [danger for piece in pieces(corpus.parsed(path)) for danger in dangers(piece)])
    }
    assert unsafe == {}


def test_the_checker_finds_dangers_when_there_are_some():
    assert dangers('<a href="java\nscript:x" onclick="y" style="z">a</a><script>') == [
        "href=javascript:x", "onclick", "style", "<script>",
    ]  # fmt: skip
