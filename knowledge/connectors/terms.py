"""Queries in no special syntax: words, "phrases", AND, OR, NOT and brackets."""

import re
from dataclasses import dataclass

_TERM = re.compile(r'"([^"]*)"|([()])|([^\s()"]+)')
#: Tags that PubMed's users put behind words.
_TAG = re.compile(r"\[[^\]\"]*\]")
_OPERATORS = {"AND", "OR", "NOT"}


@dataclass(frozen=True)
class Term:
    """A word or phrase to look for, or an operator or bracket between them."""

    text: str
    is_word: bool


def terms(text: str) -> list[Term]:
    """The parts of a query; PubMed's tags in square brackets are left out."""
    found = []
    for phrase, bracket, word in _TERM.findall(_TAG.sub(" ", text)):
        if bracket:
            found.append(Term(bracket, is_word=False))
        elif word.upper() == "ANDNOT":
            found.append(Term("NOT", is_word=False))
        elif word in _OPERATORS:
            found.append(Term(word, is_word=False))
        elif cleaned := " ".join((phrase or word).split()).strip(".,;:!?*"):
            found.append(Term(cleaned, is_word=True))
    return found


def fits(text: str, body: str) -> bool:
    """Whether a text has what the query asks for. AND binds words that stand side by side; words are found as wholes."""
    said = terms(text)
    fitting = _Fitting(said, f" {_plain(body)} ")
    return fitting.alternatives() if said else True


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


class _Fitting:
    """Reads a query from left to right: alternatives of conditions of words and brackets. Forgives stray operators."""

    def __init__(self, said: list[Term], body: str) -> None:
        self._said = said
        self._body = body
        self._at = 0

    def alternatives(self) -> bool:
        fits = self._conditions()
        while self._is_next("OR"):
            self._at += 1
            fits = self._conditions() or fits
        return fits

    def _conditions(self) -> bool:
        fits = True
        while self._at < len(self._said) and not (self._is_next("OR") or self._is_next(")")):
            if self._is_next("AND"):
                self._at += 1
                continue
            fits = self._condition() and fits
        return fits

    def _condition(self) -> bool:
        term = self._said[self._at]
        self._at += 1
        if term.is_word:
            return f" {_plain(term.text)} " in self._body
        if term.text == "NOT":
            return self._at < len(self._said) and not self._condition()
        if term.text != "(":
            return True
        fits = self.alternatives()
        self._at += self._is_next(")")
        return fits

    def _is_next(self, text: str) -> bool:
        return self._at < len(self._said) and self._said[self._at] == Term(text, is_word=False)
