"""Words in a text, in any script."""

# ruff: noqa: RUF001 - typographic signs are what it is about

import re
import unicodedata
from functools import lru_cache

from publishing.languages import Language

_IDEOGRAPH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
#: A word keeps its inner apostrophes, hyphens and decimal signs; an ideograph stands alone.
_WORD = re.compile(rf"[{_IDEOGRAPH}]|[^\W_{_IDEOGRAPH}]+(?:['’.,:\-‑][^\W_{_IDEOGRAPH}]+)*")
_IDEOGRAPHS = re.compile(f"[{_IDEOGRAPH}]")
_ELISION = re.compile(r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|dell|all|nell|sull|dall|un)['’]", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
#: Endings are cut off: "ferry" and "ferries" then mean the same, in most languages of Europe.
_STEM_CHARS = 6


def words(text: str) -> list[str]:
    """The words of a text as written."""
    return _WORD.findall(text)


def count_words(text: str) -> int:
    """How many words a text has; two ideographs count as one."""
    ideographs = len(_IDEOGRAPHS.findall(text))
    return len(_WORD.findall(text)) - ideographs + (ideographs + 1) // 2


def terms(text: str, language: Language) -> list[str]:
    """The words that say something about a text, cut to stems, in their order."""
    found = []
    for word in _WORD.findall(text.casefold()):
        plain = without_article(word, language).replace("’", "'")
        if not plain[0].isdigit() and not language.is_stop_word(plain):
            found.append(plain[:_STEM_CHARS])
    return found


def without_article(word: str, language: Language) -> str:
    """The word without an article that is written onto it: "histoire" for "l'histoire"."""
    return _ELISION.sub("", word) if language.code in {"fr", "it"} else word


def mentions(text: str, phrase: str) -> bool:
    """Whether a text has a word or phrase in it, as whole words, whatever the case."""
    pattern = _whole_words(phrase)
    return pattern is not None and pattern.search(_flat(text)) is not None


@lru_cache(maxsize=512)
def _whole_words(phrase: str) -> re.Pattern[str] | None:
    flat = _flat(phrase).strip()
    if not flat:
        return None
    before = r"(?<!\w)" if _needs_edge(flat[0]) else ""
    after = r"(?!\w)" if _needs_edge(flat[-1]) else ""
    return re.compile(before + re.escape(flat) + after)


def _needs_edge(sign: str) -> bool:
    """Ideographs have no space between words: there, any occurrence counts."""
    return sign.isalnum() and not _IDEOGRAPHS.match(sign)


def _flat(text: str) -> str:
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold().replace("’", "'"))


def shortened(text: str, limit: int) -> str:
    """The text, or its first whole words with an ellipsis: at most `limit` characters."""
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    if not text[limit - 1].isspace() and " " in kept.strip():
        kept = kept.rpartition(" ")[0]
    return kept.rstrip(" ,;:–—-") + "…"
