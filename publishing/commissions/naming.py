"""Title, description and keywords, as a model gives them, within their limits."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from chat import Unusable, read_json
from publishing.digests.articles import is_clean
from publishing.feeds.sanitise import clean_line, plain_text
from publishing.keywords import keyword
from publishing.languages import language_of
from publishing.words import mentions, shortened, terms, words
from publishing.writers.base import (
    KEYWORDS,
    MAX_EXCERPT_CHARS,
    MAX_META_DESCRIPTION_CHARS,
    MAX_META_TITLE_CHARS,
    Brief,
    Meta,
)

#: A title that is longer is a paragraph.
MAX_OWN_TITLE_CHARS = 160
MAX_KEYWORD_CHARS = 80
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
#: Marks of Markdown, and quotation marks around the whole.
_MARKS = re.compile(r"\A[#>*\s]+|\*\*|__|`|\*+\Z")
_QUOTED = re.compile("\\A[\"“„«'](.*)[\"”“»']\\Z")


class MetaAnswer(BaseModel):
    """What a model is asked for."""

    title: str
    meta_title: str
    meta_description: str
    excerpt: str
    keywords: list[str]


def read_meta(answer: str, brief: Brief, text: str, *, is_last: bool) -> Meta:
    """What an answer calls a text. What is too long is cut after a word; raises Unusable for what must not go out."""
    told = read_json(answer, MetaAnswer)
    title = _line(told.title, MAX_OWN_TITLE_CHARS)
    meta = Meta(
        title=title,
        meta_title=_line(told.meta_title, MAX_META_TITLE_CHARS) or shortened(title, MAX_META_TITLE_CHARS),
        meta_description=_line(told.meta_description, MAX_META_DESCRIPTION_CHARS),
        excerpt=_line(told.excerpt, MAX_EXCERPT_CHARS),
        keywords=_unlike((_line(word, MAX_KEYWORD_CHARS) for word in told.keywords), brief),
    )
    meta["meta_description"] = meta["meta_description"] or shortened(
        meta["excerpt"], MAX_META_DESCRIPTION_CHARS
    )
    meta["excerpt"] = meta["excerpt"] or meta["meta_description"]
    _refuse(meta, brief)
    if len(meta["keywords"]) < KEYWORDS[0]:
        if not is_last:
            raise Unusable(
                f"There are {len(meta['keywords'])} keywords, and {KEYWORDS[0]} are wanted at least."
            )
        meta["keywords"] = _unlike([*meta["keywords"], *_own_keywords(brief, title, text)], brief)
    return meta


def _refuse(meta: Meta, brief: Brief) -> None:
    for name in ("title", "meta_description"):
        if not meta[name]:
            raise Unusable(f"There is no {name}.")
    shown = " \n ".join([meta["title"], meta["meta_title"], meta["meta_description"], meta["excerpt"]])
    for phrase in brief.avoid:
        if mentions(shown, phrase):
            raise Unusable(f"Title, description or excerpt has “{phrase}” in it, which must not occur.")


def _line(text: str, limit: int) -> str:
    """Plain text on one line, cut after a word."""
    line = clean_line(_MARKS.sub("", _ADDRESS.sub("", plain_text(text))))
    quoted = _QUOTED.match(line)
    return shortened(quoted[1].strip() if quoted else line, limit)


def _unlike(candidates: Iterable[str], brief: Brief) -> list[str]:
    """The first ten that may occur, none of them twice."""
    found: dict[str, str] = {}
    for candidate in candidates:
        if candidate and len(found) < KEYWORDS[1] and is_clean(candidate, brief):
            found.setdefault(candidate.casefold(), candidate)
    return list(found.values())


def _own_keywords(brief: Brief, title: str, text: str) -> Iterator[str]:
    """Keywords that we find ourselves: those of the brief that occur, the title's, and the most frequent words."""
    yield from (wish for wish in (brief.keyword, *brief.further_keywords) if mentions(text, wish))
    yield keyword(title, language=brief.language)
    language = language_of(brief.language)
    counts = Counter(word for word in words(text.casefold()) if len(word) > 3 and terms(word, language))
    yield from sorted(counts, key=lambda word: (-counts[word], word))[: 2 * KEYWORDS[0]]
