"""The keyword of a title: its most telling noun phrase, as far as that can be told without a grammar."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from publishing.languages import Language, language_of
from publishing.words import terms, without_article, words

MAX_KEYWORD_CHARS = 80
#: No more of a title is looked at.
_MAX_TITLE_CHARS = 300
_MOST_WORDS = 3
#: Two words tell more than one, three are seldom one idea.
_WORTH_BY_LENGTH = {1: 1.0, 2: 1.25, 3: 1.2}
_NAME_BONUS = 1.2
_USED_AGAIN = 1.15
_HEADLESS = 0.6
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


@dataclass(frozen=True)
class _Phrase:
    """A part of a title that may be its keyword."""

    #: As it is written there.
    text: str
    #: Its words without those that join them.
    words: tuple[str, ...]
    #: How many words of the title stand before it.
    place: int
    #: The phrase with its neighbour on the side where its head stands: "cells" in "blood cells", but "plan" in
    #: "plan de vivienda"; "" when the phrase reaches as far as that.
    longer: str


def _best_phrase(
    document: Document, bag: Counter[str], frequencies: Counter[str], total: int, language: Language
) -> str:
    are_capitals_telling = _are_capitals_telling(document.title)
    best, best_score = "", 0.0
    text = document.text.casefold()
    for phrase in _phrases(document.title[:_MAX_TITLE_CHARS], language):
        if are_capitals_telling and language.has_capital_nouns and not phrase.words[-1][0].isupper():
            continue
        score = _rarity(phrase, bag, frequencies, total, language)
        score *= _WORTH_BY_LENGTH[len(phrase.words)]
        used = text.count(phrase.text.casefold())
        if phrase.longer and text.count(phrase.longer.casefold()) * 2 >= used:
            score *= _HEADLESS
        if len(phrase.words) > 1 and used:
            score *= _USED_AGAIN
        if are_capitals_telling and phrase.place > 0 and any(word[0].isupper() for word in phrase.words):
            score *= _NAME_BONUS
        if score > best_score + 1e-9:
            best, best_score = _in_lower_case(phrase, document), score
    return best if len(best) <= MAX_KEYWORD_CHARS else ""


def _rarity(
    phrase: _Phrase, bag: Counter[str], frequencies: Counter[str], total: int, language: Language
) -> float:
    """The mean weight of its words: often in this document, seldom in others."""
    weights = []
    for word in phrase.words:
        stem = next(iter(terms(word, language)), word.casefold())
        rarity = math.log(1 + (1 + total) / (1 + frequencies[stem]))
        weights.append(rarity * (1 + math.log(max(bag[stem], 1))))
    return sum(weights) / len(weights)


def _phrases(title: str, language: Language) -> Iterator[_Phrase]:
    """Every run of up to three words without a stop word, verb of headlines or punctuation."""
    place = 0
    for part in _PARTING.split(title):
        written = words(part)
        is_content = [_may_be_in_phrase(without_article(word, language), language) for word in written]
        for start in range(len(written)):
            for stop in _stops(written, is_content, start, language):
                chosen = [without_article(written[start], language), *written[start + 1 : stop]]
                text, longer = " ".join(chosen), ""
                if language.is_head_first and start > 0 and is_content[start - 1]:
                    longer = f"{written[start - 1]} {text}"
                elif not language.is_head_first and stop < len(written) and is_content[stop]:
                    longer = f"{text} {written[stop]}"
                yield _Phrase(
                    text=text,
                    words=tuple(
                        without_article(word, language)
                        for word, counts in zip(chosen, is_content[start:stop], strict=True)
                        if counts
                    ),
                    place=place + start,
                    longer=longer,
                )
        place += len(written)


def _stops(
    written: Sequence[str], is_content: Sequence[bool], start: int, language: Language
) -> Iterator[int]:
    """Where the phrases that begin with a word can stop."""
    count = 0
    for number in range(start, len(written)):
        if is_content[number]:
            count += 1
            yield number + 1
        elif not count or written[number].casefold() not in language.joining_words:
            return
        if count == _MOST_WORDS:
            return


def _may_be_in_phrase(word: str, language: Language) -> bool:
    plain = word.casefold().replace("’", "'")
    return (
        any(sign.isalpha() for sign in word)
        and not language.is_stop_word(plain)
        and plain not in language.headline_words
    )


def _are_capitals_telling(title: str) -> bool:
    """Whether capitals mark names or nouns: not in Headlines Like This One."""
    later = [word for word in words(title)[1:] if word[0].isalpha()]
    return any(word[0].islower() for word in later)


def _in_lower_case(phrase: _Phrase, document: Document) -> str:
    """The phrase without the capital that it has only for being the first of its title."""
    lower = phrase.words[0][0].lower() + phrase.words[0][1:]
    is_written_lower = lower in words(document.title) or lower in words(document.text)
    return lower + phrase.text[len(lower) :] if phrase.place == 0 and is_written_lower else phrase.text
