"""How easy a text is to read: Flesch's Reading Ease, with the constants published for each language.

All formulas have the shape `constant − a · words per sentence − b · syllables per word` and give about 100 for a
text that a child reads and 0 for one that only specialists do. Languages without a published adaptation get no
figure, rather than one of a formula that was never fitted to them.

| language | formula | source |
|---|---|---|
| English | 206.835 − 1.015 w − 84.6 s | R. Flesch, A new readability yardstick, Journal of Applied Psychology 32, 1948 |
| German | 180 − w − 58.5 s | T. Amstad, Wie verständlich sind unsere Zeitungen?, Zürich 1978 |
| Spanish | 206.84 − 1.02 w − 60 s | J. Fernández Huerta, Medidas sencillas de lecturabilidad, Consigna 214, 1959 |
| French | 207 − 1.015 w − 73.6 s | L. Kandel and A. Moles, Application de l'indice de Flesch à la langue française, Cahiers d'études de radio-télévision 19, 1958 |
| Italian | 217 − 1.3 w − 60 s | V. Franchina and R. Vacca, Adaptation of Flesch readability index on a bilingual text, Linguaggi 3, 1986 |
| Dutch | 206.84 − 0.93 w − 77 s | W. H. Douma, De leesbaarheid van landbouwbladen, Wageningen 1960 |
| Portuguese | 248.835 − 1.015 w − 84.6 s | T. Martins and others, Readability formulas applied to textbooks in Brazilian Portuguese, São Carlos 1996 |
| Russian | 206.835 − 1.3 w − 60.1 s | I. V. Oborneva, Automated assessment of the complexity of educational texts, Moscow 2006 |
| Turkish | 198.825 − 2.61 w − 40.175 s | E. Ateşman, Türkçede okunabilirliğin ölçülmesi, Dil Dergisi 58, 1997 |

Where a source counts syllables in 100 words, its factor is given here for one word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from publishing.seo import syllables
from publishing.seo.text import Document
from publishing.seo.words import base_language, words


@dataclass(frozen=True)
class Formula:
    language: str
    name: str
    constant: float
    per_sentence_word: float
    per_syllable: float

    def raw(self, *, sentence_length: float, word_length: float) -> float:
        """The figure before it is limited to 0 to 100; lengths in words and in syllables."""
        return self.constant - self.per_sentence_word * sentence_length - self.per_syllable * word_length


FORMULAS: Mapping[str, Formula] = MappingProxyType(
    {
        "en": Formula("English", "Flesch 1948", 206.835, 1.015, 84.6),
        "de": Formula("German", "Amstad 1978", 180, 1, 58.5),
        "es": Formula("Spanish", "Fernández Huerta 1959", 206.84, 1.02, 60),
        "fr": Formula("French", "Kandel and Moles 1958", 207, 1.015, 73.6),
        "it": Formula("Italian", "Franchina and Vacca 1986", 217, 1.3, 60),
        "nl": Formula("Dutch", "Douma 1960", 206.84, 0.93, 77),
        "pt": Formula("Portuguese", "Martins and others 1996", 248.835, 1.015, 84.6),
        "ru": Formula("Russian", "Oborneva 2006", 206.835, 1.3, 60.1),
        "tr": Formula("Turkish", "Ateşman 1997", 198.825, 2.61, 40.175),
    }
)

#: Lower bounds of the levels, after Flesch.
_LEVELS = (
    (90, "very easy"),
    (80, "easy"),
    (70, "fairly easy"),
    (60, "plain"),
    (50, "fairly difficult"),
    (30, "difficult"),
    (0, "very difficult"),
)


@dataclass(frozen=True)
class Readability:
    #: 0 (hard) to 100 (easy), one decimal; None if there is none, and then `reason` says why.
    score: float | None
    reason: str
    #: Whether the language has a formula at all; a text without words in such a language has no score either.
    is_applicable: bool
    #: Author and year of the formula; "" if there is none.
    formula: str = ""
    words: int = 0
    sentences: int = 0
    syllables: int = 0

    @property
    def level(self) -> str:
        """The score in words, from "very easy" to "very difficult"; "not applicable" without a score."""
        if self.score is None:
            return "not applicable"
        return next(name for bound, name in _LEVELS if self.score >= bound)


def readability(document: Document, language: str) -> Readability:
    """How easy the prose of a document is to read; `language` is a tag like "en" or "pt-BR".

    Headings and items of lists are sentences of their own; code is left out.
    """
    formula = FORMULAS.get(base_language(language))
    if formula is None:
        reason = f"Not applicable: no Flesch formula has been published for the language “{language}”."
        return Readability(None, reason, is_applicable=False)
    sentences = document.sentences(language)
    found = [word for sentence in sentences for word in words(sentence)]
    if not found:
        return Readability(None, "There are no sentences to read.", is_applicable=True, formula=formula.name)
    total = sum(syllables.count(word, language) for word in found)
    raw = formula.raw(sentence_length=len(found) / len(sentences), word_length=total / len(found))
    score = round(min(100.0, max(0.0, raw)), 1)
    return Readability(
        score,
        f"{formula.language} formula ({formula.name}).",
        is_applicable=True,
        formula=formula.name,
        words=len(found),
        sentences=len(sentences),
        syllables=total,
    )
