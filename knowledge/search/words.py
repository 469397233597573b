"""Words as the word index knows them: without case, endings and the commonest ones."""

import re
import threading
import unicodedata
from functools import lru_cache

import Stemmer

_COMMON = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to
was will with
"""
#: Words that say nothing about what a text is about.
COMMON = frozenset(_COMMON.split())
#: Longer ones are cut: they are addresses, sequences and noise.
LONGEST = 64
_WORD = re.compile(r"[^\W_]+")
_stemmers = threading.local()


def terms(text: str) -> list[str]:
    """The stems of all telling words, in order."""
    return [stem(word) for word, _, _ in words(text) if word not in COMMON]


def words(text: str) -> list[tuple[str, int, int]]:
    """All words in lower case, with where they start and end in the text."""
    return [(_folded(match[0]), match.start(), match.end()) for match in _WORD.finditer(text)]


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """What a word has in common with its other forms, by Porter's rules."""
    stemmer = getattr(_stemmers, "porter", None)
    if stemmer is None:  # they may not be shared between threads
        stemmer = _stemmers.porter = Stemmer.Stemmer("porter")
    return str(stemmer.stemWord(word))[:LONGEST]


def _folded(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower()
