"""Watching a web page: for changes of its text, or for new links in a part of it."""

import hashlib
import re
from collections import Counter

from pydantic import Field, field_validator

from jobs import outbound
from publishing.feeds import ParsedItem
from publishing.feeds.identity import identified
from publishing.feeds.sanitise import plain_text
from publishing.sources import robots
from publishing.sources.article import LIMITS, PAGE, Article, Page, selector_of
from publishing.sources.asking import ask, quiet_period, unchanged, validators
from publishing.sources.base import Fetched, FetchRequest, Options, SourceAdapter
from publishing.sources.registry import register

MOST_LINKS = 300
_MOST_TEXT = 1_000_000
_MONTHS = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|sty|lut|kwi|maj|cze|lip|sie|wrz|paź|lis|gru)\w*"
#: What changes on pages that have not changed: clock times, dates, ages and counters.
_NOISE = re.compile(
    rf"""
      \b\d{{1,2}}:\d\d(?::\d\d)?(?:\s?[ap]\.?m\b\.?)?
    | \b\d{{4}}-\d\d-\d\d(?:t[\d:.+z-]+)?
    | \b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}
    | \b\d{{1,2}}\.?\s{_MONTHS}(?:\s\d{{4}})? | \b{_MONTHS}\s\d{{1,2}}(?:,?\s\d{{4}})?
    | \b(?:\d+|an?|one)\s(?:sec|second|min|minute|hour|day|week|month|year)s?\sago
    | \bvor\s(?:\d+|einer|einem)\s\w+ | \bil\sy\sa\s\d+\s\w+ | \b\d+\s\w+\stemu
    | \b\d[\d.,]*\s?[km]?\s(?:views?|visitors?|visits|readers?|comments?|likes?|shares?|votes?|online|reads|
      aufrufe|kommentare?|leser|commentaires?|vues|komentarzy|wyświetleń)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:[.,]\d+)*")


class PageOptions(Options):
    selector: str = Field(
        default="",
        max_length=200,
        description="A CSS selector of the part to watch. Empty: the article, without what is around it.",
    )
    links: str = Field(
        default="",
        max_length=200,
        description="A CSS selector of a part whose links are watched instead: each new link is an item.",
    )
    min_changed_words: int = Field(
        default=3, ge=1, le=10_000, description="A change of fewer words is no news."
    )

    @field_validator("selector", "links")
    @classmethod
    def _can_be_read(cls, selector: str) -> str:
        if selector.strip():
            selector_of(selector.strip())
        return selector.strip()


@register
class PageSource(SourceAdapter):
    """A web page without a feed. What its site's robots.txt forbids is not read."""

    kind, label = "page", "Web page"
    options = PageOptions
    wants_earlier = True
    has_item_per_address = False

    def fetch(self, request: FetchRequest) -> Fetched:
        """One conditional GET; an item for a new text or for each link."""
        options = PageOptions.model_validate(dict(request.options))
        robots.check(request.url)
        response = ask(request, accept=PAGE, limits=LIMITS)
        if response.status == 304:
            return unchanged(request, response)
        body_hash = hashlib.sha256(response.body).hexdigest()
        if body_hash == request.body_hash and not request.force:
            return unchanged(request, response)
        page = Page(response)
        items = _links(page, options) if options.links else _text(page, options, request)
        etag, last_modified = validators(response)
        return Fetched(
            is_changed=bool(items),
            items=items,
            status=response.status,
            title=page.title,
            language=page.language,
            etag=etag,
            last_modified=last_modified,
            body_hash=body_hash,
            permanent_url=response.permanent_url,
            quiet_for=quiet_period(response),
            notes=_notes(response, page, items, request),
        )


def _links(page: Page, options: PageOptions) -> tuple[ParsedItem, ...]:
    found = page.links(options.links, limit=MOST_LINKS)
    return identified(ParsedItem(guid=link.url, url=link.url, title=link.title or link.url) for link in found)


def _text(page: Page, options: PageOptions, request: FetchRequest) -> tuple[ParsedItem, ...]:
    """The page's text as an item, unless it says what the newest item says."""
    article = page.selected(options.selector) if options.selector else page.article()
    words = normalised(article.html)
    if not words:
        return ()
    if request.earlier.latest_html:
        before = normalised(request.earlier.latest_html)
        if changed_words(before, words) < options.min_changed_words:
            return ()
    return (_item(article, words, request.url),)


def _item(article: Article, words: list[str], url: str) -> ParsedItem:
    (item,) = identified(
        [
            ParsedItem(
                guid=hashlib.sha256(" ".join(words).encode()).hexdigest(),
                url=url,
                title=article.title or url,
                content_html=article.html,
                language=article.language,
            )
        ]
    )
    return item


def _notes(
    response: outbound.OutboundResponse, page: Page, items: tuple[ParsedItem, ...], request: FetchRequest
) -> tuple[str, ...]:
    if len(items) == MOST_LINKS:
        return (f"Only the first {MOST_LINKS} links were read.",)
    if not items and not request.earlier.latest_html:
        return ("The page has no running text; a selector may find some.",)
    return ()


def normalised(html: str) -> list[str]:
    """The words of a text in lower case, without what changes by itself: times, dates, ages, counters."""
    text = plain_text(html, _MOST_TEXT).lower()
    return _WORD.findall(_NOISE.sub(" ", text))


def changed_words(before: list[str], after: list[str]) -> int:
    """How many words were added or taken away, whichever is more; those that only moved do not count."""
    old, new = Counter(before), Counter(after)
    return max((old - new).total(), (new - old).total())
