"""The search-engine score of a post, 0 to 100, with every part of it shown.

| part | points |
|---|---|
| title: has the keyword, 40 to 70 characters, begins with the keyword | 10 + 5 + 5 |
| description: has the keyword, 120 to 160 characters | 8 + 7 |
| words: from 2,000, 1,500, 1,000, 500 | 15, 12, 8, 5 |
| density of the keyword: 1 to 2.5 %, 0.5 to 3 %, more than none | 15, 10, 5 |
| keyword in the first hundred words | 5 |
| readability: 50 to 70, 40 to 80, more than 30 | 15, 10, 5 |
| headings and lists: a level 2, a level 3, a list, three of level 2 | 5 + 3 + 4 + 3 |
"""

from collections.abc import Iterator
from dataclasses import dataclass

from publishing.seo import keywords
from publishing.seo.keywords import KeywordUse, Verdict
from publishing.seo.readability import Readability, readability
from publishing.seo.text import Document, read
from publishing.seo.words import one_line

#: Posts below should not be published unseen.
PUBLISH_FROM = 30

TITLE_CHARS = (40, 70)
DESCRIPTION_CHARS = (120, 160)
FIRST_WORDS = 100
_WORDS = ((2000, 15), (1500, 12), (1000, 8), (500, 5))
_EASE = (((50, 70), 15), ((40, 80), 10))
_EASE_ABOVE = (30, 5)
_DENSITY = {
    Verdict.MISSING: 0,
    Verdict.TOO_RARE: 5,
    Verdict.RARE: 10,
    Verdict.GOOD: 15,
    Verdict.FREQUENT: 10,
    Verdict.TOO_FREQUENT: 5,
}


@dataclass(frozen=True)
class PostContent:
    """What a search engine gets to see of one post."""

    title: str
    html: str
    #: What search results show instead of the title; "" means the title itself.
    meta_title: str = ""
    meta_description: str = ""
    #: The main keyword, one or more words.
    keyword: str = ""
    more_keywords: tuple[str, ...] = ()
    #: A tag like "en" or "de-AT".
    language: str = "en"
    slug: str = ""

    @property
    def search_title(self) -> str:
        """The title that search results show."""
        return one_line(self.meta_title) or one_line(self.title)


@dataclass(frozen=True)
class Part:
    #: A short name that does not change, such as "title_keyword".
    key: str
    name: str
    points: int
    maximum: int
    #: One sentence: what to do, or that all is well.
    advice: str
    #: False if the part does not apply to this post and is left out of the score.
    counts: bool = True

    @property
    def is_full(self) -> bool:
        """Whether there is nothing left to gain."""
        return self.points == self.maximum


@dataclass(frozen=True)
class SeoScore:
    parts: tuple[Part, ...]
    word_count: int
    readability: Readability
    #: The main keyword first.
    keywords: tuple[KeywordUse, ...]

    @property
    def total(self) -> int:
        """0 to 100: the points, scaled to 100 if parts are left out."""
        return round(100 * self.points / self.maximum)

    @property
    def points(self) -> int:
        """What the counted parts have earned, before scaling."""
        return sum(part.points for part in self.parts if part.counts)

    @property
    def maximum(self) -> int:
        """What the counted parts could earn; 100 if none is left out."""
        return sum(part.maximum for part in self.parts if part.counts)

    @property
    def note(self) -> str:
        """Says that and why parts are left out; "" if all count."""
        if self.maximum == 100:
            return ""
        left_out = 100 - self.maximum
        reasons = " ".join(part.advice for part in self.parts if not part.counts)
        return f"{reasons} Its {left_out} points are left out, and the other {self.maximum} scaled to 100."

    @property
    def is_publishable(self) -> bool:
        """Whether the score is high enough to publish the post unseen."""
        return self.total >= PUBLISH_FROM


def seo_score(post: PostContent, document: Document | None = None) -> SeoScore:
    """The score of a post; `document` saves reading `post.html` again."""
    document = document or read(post.html)
    ease = readability(document, post.language)
    names = dict.fromkeys(one_line(name) for name in (post.keyword, *post.more_keywords))
    uses = tuple(
        keywords.use(document.text, document.word_count, name) for name in names if keywords.is_keyword(name)
    )
    parts = (
        *_title_parts(post),
        *_description_parts(post),
        _length_part(document),
        *_keyword_parts(post, document),
        _readability_part(ease),
        *_structure_parts(document),
    )
    return SeoScore(parts, document.word_count, ease, uses)


def _title_parts(post: PostContent) -> Iterator[Part]:
    title = post.search_title
    found = keywords.occurrences(title, post.keyword) > 0
    yield _part("title_keyword", "Keyword in the title", 10 * found, 10, _keyword_advice(post, "the title"))
    shortest, longest = TITLE_CHARS
    yield _part(
        "title_length",
        "Length of the title",
        5 * (shortest <= len(title) <= longest),
        5,
        f"Write {shortest} to {longest} characters; now there are {len(title)}.",
    )
    yield _part(
        "title_start",
        "Keyword at the start of the title",
        5 * keywords.starts_with(title, post.keyword),
        5,
        _keyword_advice(post, "the beginning of the title"),
    )


def _description_parts(post: PostContent) -> Iterator[Part]:
    description = one_line(post.meta_description)
    found = keywords.occurrences(description, post.keyword) > 0
    yield _part(
        "description_keyword",
        "Keyword in the description",
        8 * found,
        8,
        _keyword_advice(post, "the meta description"),
    )
    shortest, longest = DESCRIPTION_CHARS
    yield _part(
        "description_length",
        "Length of the description",
        7 * (shortest <= len(description) <= longest),
        7,
        f"Write a meta description of {shortest} to {longest} characters; now there are {len(description)}.",
    )


def _length_part(document: Document) -> Part:
    count = document.word_count
    points = next((points for least, points in _WORDS if count >= least), 0)
    wanted = min((least for least, more in _WORDS if more > points), default=0)
    advice = f"Write at least {wanted:,} words for more points; now there are {count:,}."
    return _part("words", "Number of words", points, 15, advice)


def _keyword_parts(post: PostContent, document: Document) -> Iterator[Part]:
    main = keywords.use(document.text, document.word_count, post.keyword)
    low, high = keywords.BEST
    verb = "less" if main.percent > high else "more"
    advice = (
        f"Use the keyword {verb} often: {low:g} to {high:g} % of the words; now it is {main.percent:.2f} %."
    )
    if not keywords.is_keyword(post.keyword):
        advice = _keyword_advice(post, "the text")
    yield _part("density", "Density of the keyword", _DENSITY[main.verdict], 15, advice)
    found = keywords.occurrences(document.first_words(FIRST_WORDS), post.keyword) > 0
    where = f"the first {FIRST_WORDS} words"
    yield _part("first_words", f"Keyword in {where}", 5 * found, 5, _keyword_advice(post, where))


def _readability_part(ease: Readability) -> Part:
    key, name, maximum = "readability", "Readability", 15
    if not ease.is_applicable:
        return Part(key, name, 0, maximum, ease.reason, counts=False)
    if ease.score is None:
        return Part(key, name, 0, maximum, "Write some sentences to be read.")
    points = _ease_points(ease.score)
    low, high = _EASE[0][0]
    how = "longer sentences and words" if ease.score > high else "shorter sentences and words"
    advice = f"Write {how}: the best ease is {low} to {high}; now it is {ease.score:g} ({ease.level})."
    return _part(key, name, points, maximum, advice)


def _ease_points(ease: float) -> int:
    for (low, high), points in _EASE:
        if low <= ease <= high:
            return points
    above, points = _EASE_ABOVE
    return points if ease > above else 0


def _structure_parts(document: Document) -> Iterator[Part]:
    second, third = document.count_headings(2), document.count_headings(3)
    yield _part(
        "h2", "A heading of level 2", 5 * (second >= 1), 5, "Divide the text with a heading of level 2."
    )
    yield _part(
        "h3", "A heading of level 3", 3 * (third >= 1), 3, "Divide a section with a heading of level 3."
    )
    yield _part("list", "A list", 4 * (document.lists >= 1), 4, "Put what can be listed into a list.")
    advice = f"Use at least three headings of level 2; now there are {second}."
    yield _part("three_h2", "Three headings of level 2", 3 * (second >= 3), 3, advice)


def _part(key: str, name: str, points: int, maximum: int, advice: str) -> Part:
    return Part(key, name, points, maximum, "Good as it is." if points == maximum else advice)


def _keyword_advice(post: PostContent, place: str) -> str:
    if not keywords.is_keyword(post.keyword):
        return f"Choose a main keyword, and use it in {place}."
    return f"Put the keyword “{one_line(post.keyword)}” into {place}."
