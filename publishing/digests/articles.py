"""The items of a brief as articles that can be quoted, the most important first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from publishing.digests.sentences import Sentence, quotable, running_text
from publishing.digests.vectors import Vector, centrality, likeness, rarity, vector
from publishing.feeds.sanitise import clean_line, web_address
from publishing.languages import Language, language_of
from publishing.words import count_words, mentions, shortened, terms
from publishing.writers import Brief, Item

MAX_HEADING_CHARS = 120
MAX_SOURCE_NAME_CHARS = 60
#: More terms of an article tell nothing more about its subject.
_HEAVIEST_TERMS = 40
#: In so many items of a source a sentence is no news.
_CHATTER = 3
_LONGEST_AGO = datetime(1, 1, 1, tzinfo=UTC)
_TURNING = dict.fromkeys([0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


@dataclass(frozen=True)
class Candidate:
    """A sentence with how much it tells about its article."""

    sentence: Sentence
    vector: Vector
    score: float
    #: It says "they" or "but", and is understood only after the sentence before it.
    leans: bool


@dataclass(frozen=True)
class Article:
    """An item with a web address and at least one sentence to quote. All texts are plain."""

    id: int
    title: str
    url: str
    source_name: str
    published_at: datetime | None
    vector: Vector
    #: The best first.
    candidates: tuple[Candidate, ...]
    importance: float

    @property
    def frame_words(self) -> int:
        """Words that stand around its quotations: heading, caption and its line in the list of sources."""
        return 2 * (count_words(self.title) + count_words(self.source_name) + 3)


@dataclass(frozen=True)
class Gathered:
    """What can be made of a brief's items."""

    #: The most important first.
    articles: tuple[Article, ...]
    #: How many items were left out, by reason.
    left_out: Counter[str]


def title_of(item: Item) -> str:
    """An item's title as it is shown: on one line, not too long."""
    return shortened(clean_line(item.title).translate(_TURNING), MAX_HEADING_CHARS)


def source_of(item: Item) -> str:
    """The name of an item's source as it is shown; its host when it has no name."""
    name = clean_line(item.source_name).translate(_TURNING) or item.url.partition("//")[2].partition("/")[0]
    return shortened(name, MAX_SOURCE_NAME_CHARS)


def is_clean(text: str, brief: Brief) -> bool:
    """Whether none of the brief's words to avoid occurs in it."""
    return not any(mentions(text, phrase) for phrase in brief.avoid)


def gather(brief: Brief) -> Gathered:
    """Read all items. The same items in another order give the same articles."""
    language = language_of(brief.language)
    left_out: Counter[str] = Counter()
    read: list[tuple[Item, list[Sentence]]] = []
    addresses: set[str] = set()
    for item in sorted(brief.items, key=_newest_first):
        reason, sentences = _read(item, brief, language, addresses)
        if reason:
            left_out[reason] += 1
        else:
            addresses.add(item.url)
            read.append((item, sentences))
    told = _without_chatter(read)
    if len(told) < len(read):
        left_out["only sentences that its source repeats"] = len(read) - len(told)
    return Gathered(tuple(_weighed(told, brief, language)), left_out)


def _newest_first(item: Item) -> tuple[float, str, str, int]:
    age = (item.published_at or _LONGEST_AGO).timestamp()
    return -age, item.title, item.url, item.id


def _read(item: Item, brief: Brief, language: Language, addresses: set[str]) -> tuple[str, list[Sentence]]:
    """Why an item cannot be quoted, or "" and its sentences."""
    if not web_address(item.url):
        return "no web address", []
    if item.url in addresses:
        return "the same address as another", []
    if not (is_clean(title_of(item), brief) and is_clean(source_of(item), brief)):
        return "a keyword to avoid", []
    sentences = quotable(item.html, language)
    if not sentences:
        return "no sentence that can be quoted", []
    clean = [sentence for sentence in sentences if is_clean(sentence.text, brief)]
    return ("", clean) if clean else ("a keyword to avoid", [])


def _weighed(read: Sequence[tuple[Item, list[Sentence]]], brief: Brief, language: Language) -> list[Article]:
    texts = [terms(item.title, language) * 2 + terms(running_text(item.html), language) for item, _ in read]
    rarities = rarity(texts)
    vectors = [vector(text, rarities, heaviest=_HEAVIEST_TERMS) for text in texts]
    covered = _coverage(vectors)
    wanted = vector(terms(" ".join(_wishes(brief)), language), rarities)
    articles = []
    for number, (item, sentences) in enumerate(read):
        importance = (
            2 * _relevance(item, sentences, vectors[number], wanted, brief)
            + covered[number]
            + 0.5 * (1 - number / len(read))
            + 0.25 * min(len(sentences), 4) / 4
        )
        articles.append(
            Article(
                id=item.id,
                title=title_of(item),
                url=web_address(item.url),
                source_name=source_of(item),
                published_at=item.published_at,
                vector=vectors[number],
                candidates=_candidates(item, sentences, rarities, wanted, language),
                importance=importance,
            )
        )
    return sorted(articles, key=lambda article: -article.importance)


def _without_chatter(read: Sequence[tuple[Item, list[Sentence]]]) -> list[tuple[Item, list[Sentence]]]:
    """Without sentences that a source puts under three items or more: they are not about their subject."""
    counts = Counter(
        (item.source_name, text)
        for item, sentences in read
        for text in dict.fromkeys(one.text for one in sentences)
    )
    kept = [
        (item, [one for one in sentences if counts[item.source_name, one.text] < _CHATTER])
        for item, sentences in read
    ]
    return [(item, sentences) for item, sentences in kept if sentences]


def _coverage(vectors: Sequence[Vector]) -> list[float]:
    """How much the other articles are about the same, from 0 to 1."""
    sums = [0.0] * len(vectors)
    for row, one in enumerate(vectors):
        for column in range(row):
            like = likeness(one, vectors[column])
            sums[row] += like
            sums[column] += like
    highest = max(sums, default=0.0)
    return [total / highest for total in sums] if highest else sums


def _wishes(brief: Brief) -> list[str]:
    return [brief.topic or "", brief.keyword, *brief.further_keywords]


def _relevance(item: Item, sentences: Sequence[Sentence], own: Vector, wanted: Vector, brief: Brief) -> float:
    """How much an article is about what was asked for: 1 when its title names the main keyword."""
    named = 0.0
    if brief.keyword and mentions(item.title, brief.keyword):
        named = 1.0
    elif brief.keyword and any(mentions(sentence.text, brief.keyword) for sentence in sentences):
        named = 0.6
    return max(named, likeness(own, wanted))


def _candidates(
    item: Item,
    sentences: Sequence[Sentence],
    rarities: dict[str, float],
    wanted: Vector,
    language: Language,
) -> tuple[Candidate, ...]:
    title = vector(terms(item.title, language), rarities)
    vectors = [vector(terms(sentence.text, language), rarities) for sentence in sentences]
    candidates = []
    for sentence, own, central in zip(sentences, vectors, centrality(vectors), strict=True):
        score = (
            central + 0.6 * likeness(own, title) + 0.6 * likeness(own, wanted) + 0.4 / (1 + sentence.place)
        )
        candidates.append(Candidate(sentence, own, score, _leans(sentence, language)))
    return tuple(sorted(candidates, key=lambda candidate: (-candidate.score, candidate.sentence.place)))


def _leans(sentence: Sentence, language: Language) -> bool:
    first = sentence.text.split(" ", 1)[0].strip("\"'“„«¿¡(,").casefold()
    return sentence.place > 0 and first in language.leaning_words
