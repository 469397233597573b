"""The words and sentences of a text, as people count them, in any language."""

import re
import unicodedata
from collections.abc import Iterator

_SPACE = re.compile(r"\s+")
#: Soft hyphens, zero-width spaces, word joiners and byte order marks: nobody sees them.
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")


def _marks() -> str:
    """Combining marks of the basic plane as the inside of a character class: `\\w` leaves them out."""
    codes = [code for code in range(0x10000) if unicodedata.category(chr(code)).startswith("M")]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


#: Chinese and Japanese write no spaces: each of their characters counts as a word, as word processors do it.
_IDEOGRAPH = "\u3040-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = rf"(?:(?![{_IDEOGRAPH}])[\w{_marks()}\u200c\u200d])"
#: The smallest piece that can be a keyword: letters and digits, with the signs of names like C++ and C#.
_ATOM = re.compile(rf"(?:[{_IDEOGRAPH}]|{_LETTER}+(?:(?:[+]{{1,2}}|#)(?!{_LETTER}))?)")
_WORD = re.compile(rf"[{_IDEOGRAPH}]|{_LETTER}+(?:(?:['’\-\u2010\u2011]|(?<=\d)[.,:](?=\d)){_LETTER}+)*")

#: Found at the first sign of a run only: a million dots are looked at once.
_SENTENCE_END = re.compile(r"(?<![.!?…؟۔।])[.!?…؟۔।]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”]*")
_LAST_WORD = re.compile(r"([^\s(\[\"'“„«]*)[.]$")
_INITIALS = re.compile(r"(?:[^\W\d_][.])*[^\W\d_]", re.UNICODE)
#: Abbreviations that are followed by more of the sentence, without their last dot, in lower case.
_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "mt",
        "vs",
        "no",
        "fig",
        "approx",
        "dept",
        "est",
        "gen",
        "gov",
        "hon",
        "jr",
        "sr",
        "lt",
        "rev",
        "sen",
        "cf",
        "ca",
        "al",
        "art",
        "vol",
        "pp",
        "nr",
        "bzw",
        "ggf",
        "evtl",
        "inkl",
        "usw",
        "vgl",
        "sog",
        "str",
        "abs",
        "mio",
        "mrd",
        "tel",
        "sr",
        "sra",
        "srta",
        "ud",
        "uds",
        "dña",
        "ej",
        "núm",
        "pág",
        "av",
        "mme",
        "mlle",
        "mgr",
        "env",
        "ex",
        "sig",
        "sigg",
        "dott",
        "avv",
        "ecc",
        "dhr",
        "mevr",
        "drs",
        "bijv",
        "ong",
        "ul",
        "np",
        "tzw",
        "tj",
        "prof",
    ]
)
#: Languages that write ordinal numbers with a dot, as in „am 3. Mai“.
_DOTTED_ORDINALS = frozenset({"cs", "da", "de", "fi", "hr", "hu", "nb", "nn", "no", "pl", "sk", "sl", "tr"})


def words(text: str) -> tuple[str, ...]:
    """The words of a text as written; "state-of-the-art", "don't" and "3.14" are one each."""
    return tuple(_WORD.findall(text))


def count_words(text: str) -> int:
    """How many words a text has; of Chinese and Japanese, how many characters."""
    return sum(1 for _ in _WORD.finditer(text))


def first_words(text: str, count: int) -> str:
    """The text up to the end of its `count`-th word."""
    for number, match in enumerate(_WORD.finditer(text), start=1):
        if number == count:
            return text[: match.end()]
    return text


def atoms(text: str) -> tuple[str, ...]:
    """The pieces of words in one notation for comparing: accents composed, upper and lower case the same.

    Hyphens and apostrophes separate, so that "intelligence" is found in « l'intelligence » and "SEO" in "SEO-Tipps".
    """
    normal = unicodedata.normalize("NFKC", _UNSEEN.sub("", text)).casefold().replace("i\u0307", "i")
    return tuple(_ATOM.findall(normal))


def split_sentences(text: str, language: str = "en") -> tuple[str, ...]:
    """The sentences of one block of text; pieces without a word are none.

    A dot does not end a sentence after a known abbreviation or an initial, nor before a lower-case letter.
    """
    ordinals = base_language(language) in _DOTTED_ORDINALS
    return tuple(part for part in _parts(text, ordinals) if _WORD.search(part))


def _parts(text: str, ordinals: bool) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(text):
        rest = text[end.end() : end.end() + 20].lstrip().lstrip("\"'“„«(¿¡[")
        if rest[:1].islower() or (
            end[0] == "." and _is_abbreviated(text[max(start, end.end() - 40) : end.end()], ordinals)
        ):
            continue
        yield text[start : end.end()].strip()
        start = end.end()
    yield text[start:].strip()


def _is_abbreviated(sentence: str, ordinals: bool) -> bool:
    """Whether the dot at the end of a piece belongs to its last word rather than to the sentence."""
    match = _LAST_WORD.search(sentence)
    if match is None:
        return False
    last = match[1]
    if last.isdecimal():
        return ordinals and len(last) <= 2
    # "I" ends sentences: "So do I."
    return (_INITIALS.fullmatch(last) is not None and last != "I") or last.casefold() in _ABBREVIATIONS


def base_language(language: str) -> str:
    """The language of a tag without its region or script: "pt" of "pt-BR"."""
    return re.split(r"[-_]", language.strip().lower(), maxsplit=1)[0]


def shortened(text: str, limit: int) -> str:
    """The text on one line in at most `limit` characters; a cut is made between words and shown as " …"."""
    text = one_line(text)
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    head, space, _ = kept.rpartition(" ")
    return f"{head.rstrip(' ,;:–—-')} …" if space and len(head) > limit // 2 else f"{kept.rstrip()}…"


def one_line(text: str) -> str:
    """The text with single spaces and without characters that nobody sees."""
    return _SPACE.sub(" ", _UNSEEN.sub("", text)).strip()
