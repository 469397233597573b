"""The keyword of a title: its most telling noun phrase, as far as that can be told without a grammar."""

# ruff: noqa: RUF001 - typographic signs are what it is about

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from publishing.languages import Language, language_of
from publishing.words import terms, without_article, words

MAX_KEYWORD_CHARS = 80
_LONGEST_PHRASE = 3
#: Two words tell more than one, three are seldom one idea.
_WORTH_BY_LENGTH = {1: 1.0, 2: 1.25, 3: 1.1}
_NAME_BONUS = 1.3
#: What parts phrases beside words: punctuation, but no apostrophes, hyphens or dots within words.
_PARTING = re.compile(r"[,;:!?()\[\]{}«»„“”\"|/–—…]|\.(?=\s|$)|\s-\s|\s['‘’]|['‘’](?=\s|$)")


@dataclass(frozen=True)
class Document:
    """Something with a title. The text is optional: it shows which words of the title the rest is about."""

    title: str
    text: str = ""


def keywords(documents: Sequence[Document], language: str) -> list[str]:
    """The keyword of each document, weighed by how rare its words are among all of them.

    "" for a title without any word that says something. The same documents in another order get the same keywords.
    """
    known = language_of(language)
    bags = [Counter(terms(f"{document.title}\n{document.text}", known)) for document in documents]
    frequencies = Counter(term for bag in bags for term in bag)
    return [
        _best_phrase(document, bag, frequencies, len(documents), known)
        for document, bag in zip(documents, bags, strict=True)
    ]


def keyword(title: str, others: Sequence[str] = (), *, language: str) -> str:
    """The keyword of one title among other titles of its source."""
    return keywords([Document(title), *(Document(other) for other in others)], language)[0]


def _best_phrase(
    document: Document, bag: Counter[str], frequencies: Counter[str], total: int, language: Language
) -> str:
    has_names = _tells_names_by_case(document.title)
    best, best_score = "", 0.0
    for place, phrase in _phrases(document.title, language):
        weights = []
        for word in phrase:
            stems = terms(word, language)
            stem = stems[0] if stems else word.casefold()
            rarity = math.log(1 + (1 + total) / (1 + frequencies[stem]))
            weights.append(rarity * (1 + math.log(max(bag[stem], 1))))
        score = _WORTH_BY_LENGTH[len(phrase)] * sum(weights) / len(weights)
        if has_names and place > 0 and any(word[0].isupper() for word in phrase):
            score *= _NAME_BONUS
        if score > best_score + 1e-9:
            best, best_score = " ".join(_in_lower_case(phrase, place, document)), score
    return best[:MAX_KEYWORD_CHARS]


def _phrases(title: str, language: Language) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every run of up to three words without a stop word, verb of headlines or punctuation, with its place."""
    place = 0
    for part in _PARTING.split(title):
        run: list[str] = []
        for written in words(part):
            word = without_article(written, language)
            if _may_be_in_phrase(word, language):
                run.append(word)
            else:
                yield from _within(run, place - len(run))
                run = []
            place += 1
        yield from _within(run, place - len(run))


def _within(run: Sequence[str], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    for start in range(len(run)):
        for end in range(start + 1, min(start + _LONGEST_PHRASE, len(run)) + 1):
            yield place + start, tuple(run[start:end])


def _may_be_in_phrase(word: str, language: Language) -> bool:
    plain = word.casefold().replace("’", "'")
    return (
        any(sign.isalpha() for sign in word)
        and not language.is_stop_word(plain)
        and plain not in language.headline_words
    )


def _tells_names_by_case(title: str) -> bool:
    """Whether capitals mean anything: not in Headlines Like This One."""
    later = [word for word in words(title)[1:] if word[0].isalpha()]
    return sum(word[0].isupper() for word in later) * 2 <= len(later)


def _in_lower_case(phrase: tuple[str, ...], place: int, document: Document) -> tuple[str, ...]:
    """The first word of a title without the capital that it has only for its place."""
    if place > 0 or not phrase[0][:1].isupper():
        return phrase
    lower = phrase[0][0].lower() + phrase[0][1:]
    is_written_lower = lower in words(document.title) or lower in words(document.text)
    return (lower, *phrase[1:]) if is_written_lower else phrase
