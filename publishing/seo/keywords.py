"""How often a keyword stands in a text, as whole words."""

import re
from dataclasses import dataclass
from enum import StrEnum

from publishing.seo.words import atoms

#: Percent of the words: the best range, and the one around it that is still fine.
BEST = (1.0, 2.5)
FINE = (0.5, 3.0)


class Verdict(StrEnum):
    MISSING = "missing"
    TOO_RARE = "too rare"
    RARE = "rather rare"
    GOOD = "good"
    FREQUENT = "rather frequent"
    TOO_FREQUENT = "too frequent"


@dataclass(frozen=True)
class KeywordUse:
    keyword: str
    occurrences: int
    #: 100 · occurrences / words.
    percent: float
    verdict: Verdict


def occurrences(text: str, keyword: str) -> int:
    """How often the keyword stands in the text as whole words, whatever its case; never across two lines.

    "cat" is not in "category", "Café" is in "CAFÉ" however its accent is encoded, and "machine learning" is in
    "Machine-Learning".
    """
    wanted = " ".join(atoms(keyword))
    if not wanted:
        return 0
    pattern = re.compile(rf"(?<!\S){re.escape(wanted)}(?!\S)")
    return sum(len(pattern.findall(" ".join(atoms(line)))) for line in text.split("\n"))


def starts_with(text: str, keyword: str) -> bool:
    """Whether the keyword is the beginning of the text, as whole words."""
    wanted = atoms(keyword)
    return bool(wanted) and atoms(text)[: len(wanted)] == wanted


def use(text: str, word_count: int, keyword: str) -> KeywordUse:
    """How often the keyword is used in a text of so many words, and whether that is right."""
    found = occurrences(text, keyword)
    percent = 100 * found / word_count if word_count else 0.0
    return KeywordUse(keyword, found, percent, verdict(percent))


def verdict(percent: float) -> Verdict:
    """What to think of a density in percent."""
    if percent <= 0:
        return Verdict.MISSING
    if percent < FINE[0]:
        return Verdict.TOO_RARE
    if percent < BEST[0]:
        return Verdict.RARE
    if percent <= BEST[1]:
        return Verdict.GOOD
    return Verdict.FREQUENT if percent <= FINE[1] else Verdict.TOO_FREQUENT


def is_keyword(text: str) -> bool:
    """Whether there is anything in it that could be found."""
    return bool(atoms(text))
