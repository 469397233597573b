"""What a digest is called and how it is described, in words that stand in it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC

from publishing.digests.articles import is_clean, source_of, title_of
from publishing.digests.page import heading, introduction
from publishing.digests.phrases import Phrases
from publishing.digests.sentences import running_text
from publishing.keywords import Document, keywords
from publishing.languages import Language, language_of
from publishing.words import mentions, shortened, terms, words
from publishing.writers.base import (
    KEYWORDS,
    MAX_EXCERPT_CHARS,
    MAX_META_DESCRIPTION_CHARS,
    MAX_META_TITLE_CHARS,
    Brief,
    Item,
    Meta,
)

MAX_SUBJECT_CHARS = 80
_MAX_SOURCE_CHARS = 40
#: So many items' keywords at most stand in a title.
_MOST_LABELS = 3


def subject(brief: Brief, texts: Sequence[str]) -> str:
    """The main keyword, or else the topic, if it occurs in one of the texts; "" when neither does."""
    for wish in (brief.keyword, brief.topic or ""):
        if wish.strip() and any(mentions(text, wish) for text in texts):
            return shortened(" ".join(wish.split()), MAX_SUBJECT_CHARS)
    return ""


def named(brief: Brief, used: Sequence[Item], text: str, phrases: Phrases) -> Meta:
    """Everything around a digest of these items whose visible text is `text`."""
    language = language_of(brief.language)
    documents = [Document(title_of(item), running_text(item.html)) for item in used]
    own_keywords = [keyword for keyword in keywords(documents, brief.language) if keyword]
    counted = _counted(used, phrases)
    label = subject(brief, [text])
    telling = sorted(own_keywords, key=lambda keyword: " " not in keyword)
    short = _titled([label] if label else telling, counted)
    newest = max((item.published_at for item in used if item.published_at), default=None)
    title = f"{short}, {phrases.on(newest.astimezone(UTC).date())}" if newest else short
    headings = "; ".join(shortened(heading(item, phrases), 70) for item in used)
    told = introduction(used, phrases)
    wishes = [wish for wish in (brief.keyword, *brief.further_keywords) if mentions(text, wish)]
    return Meta(
        title=title,
        meta_title=title if len(title) <= MAX_META_TITLE_CHARS else shortened(short, MAX_META_TITLE_CHARS),
        meta_description=shortened(f"{short}. {headings}", MAX_META_DESCRIPTION_CHARS),
        excerpt=shortened(f"{_capital(label)}: {told}" if label else told, MAX_EXCERPT_CHARS),
        keywords=_unlike([*wishes, *own_keywords, *_frequent_words(documents, language)], brief),
    )


def _counted(used: Sequence[Item], phrases: Phrases) -> str:
    names = {source_of(item) for item in used}
    if len(names) > 1:
        return phrases.counted(len(used), len(names))
    return phrases.counted_from(len(used), shortened(names.pop(), _MAX_SOURCE_CHARS))


def _titled(labels: Sequence[str], counted: str) -> str:
    """Subject and counts; of several labels as many as the title of a search result has room for."""
    told = ""
    for number in range(1, min(len(labels), _MOST_LABELS) + 1):
        longer = f"{_capital(', '.join(dict.fromkeys(labels[:number])))}: {counted}"
        if told and len(longer) > MAX_META_TITLE_CHARS:
            break
        told = longer
    return told or counted


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _unlike(candidates: Iterable[str], brief: Brief) -> list[str]:
    """The first ten, none of them twice."""
    found: dict[str, str] = {}
    for candidate in candidates:
        if len(found) < KEYWORDS[1] and is_clean(candidate, brief):
            found.setdefault(candidate.casefold(), candidate)
    return list(found.values())


def _frequent_words(documents: Sequence[Document], language: Language) -> Iterator[str]:
    """The words that most of the documents have, to fill up the keywords."""
    counts = Counter(
        word
        for document in documents
        for word in dict.fromkeys(words(f"{document.title} {document.text}".casefold()))
        if terms(word, language) and len(word) > 3
    )
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    yield from ranked[: KEYWORDS[0]]
