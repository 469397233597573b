"""What a sentence claims, as far as rules can tell: its telling words, numbers, names, negations and directions."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from functools import cached_property, lru_cache

from knowledge.answers.terms import ASKING
from knowledge.search.words import stem

#: Words with their inner hyphens, points and apostrophes; numbers with all that belongs to them.
_TOKEN = re.compile(
    r"""(?P<number>(?<![^\W_])(?<![^\W\d_]-)(?<![^\W\d_]/)(?:(?<=[\s(=<>])-)?
        (?:\d+(?:,\d{3})+(?:\.\d+)?(?![\w,]) | \d+(?:[.,]\d+)?(?=[^\W\d_]{0,8}(?![^\W_]))))
    |(?P<word>[^\W_]+(?:[-'./][^\W_]+)*)
    |(?P<sign>[%\N{PER MILLE SIGN}<>=;:,.()!?])""",
    re.VERBOSE,
)
#: Signs that are written in several ways.
_SIGNS = str.maketrans(
    {
        "\N{HYPHEN}": "-",
        "\N{NON-BREAKING HYPHEN}": "-",
        "\N{FIGURE DASH}": "-",
        "\N{EN DASH}": "-",
        "\N{MINUS SIGN}": "-",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{MICRO SIGN}": "\N{GREEK SMALL LETTER MU}",
        "\N{MIDDLE DOT}": ".",
        "\N{DOT OPERATOR}": ".",
    }
)
_UNITS = {
    "%": "%", "percent": "%", "\N{PER MILLE SIGN}": "\N{PER MILLE SIGN}", "fold": "fold", "times": "fold",
    **dict.fromkeys(("year", "years", "yr", "yrs", "year-old"), "year"),
    **dict.fromkeys(("month", "months"), "month"),
    **dict.fromkeys(("week", "weeks", "wk"), "week"),
    **dict.fromkeys(("day", "days", "d"), "day"),
    **dict.fromkeys(("hour", "hours", "h", "hr", "hrs"), "hour"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "minute"),
    **dict.fromkeys(("second", "seconds", "s", "sec"), "second"),
    **dict.fromkeys(("ug", "mcg", "microgram", "micrograms"), "ug"),
    **dict.fromkeys(("mg", "milligram", "milligrams"), "mg"),
    **dict.fromkeys(("g", "gram", "grams"), "g"),
    **dict.fromkeys(("kg", "kilogram", "kilograms"), "kg"),
    **dict.fromkeys(("ml", "millilitre", "milliliter", "millilitres", "milliliters"), "ml"),
    **{unit: unit for unit in (
        "ng", "pg", "l", "dl", "ul", "mol", "mmol", "umol", "nmol", "mm", "um", "nm", "cm", "m", "km", "mmhg", "kpa",
        "kda", "kb", "bp", "mb", "iu", "kcal", "kj", "hz", "mhz", "gy", "mv",
    )},
}  # fmt: skip
#: Units whose case tells them apart: mM is no mm.
_CASED = {"mM": "mmol/l", "uM": "umol/l", "nM": "nmol/l", "M": "mol/l"}
_WORD_NUMBERS = {
    word: Decimal(number)
    for number, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"], start=2)
} | {"thirty": Decimal(30), "forty": Decimal(40), "fifty": Decimal(50), "sixty": Decimal(60), "seventy": Decimal(70),
     "eighty": Decimal(80), "ninety": Decimal(90), "half": Decimal("0.5"), "zero": Decimal(0)}  # fmt: skip
_FOLD_WORDS = dict.fromkeys(("twice", "double", "doubled", "doubles", "doubling", "twofold"), Decimal(2)) | dict.fromkeys(
    ("triple", "tripled", "triples", "threefold", "thrice"), Decimal(3)
)  # fmt: skip
_POWERS = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

#: What turns the words after it round.
_NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "without",
        "neither",
        "nor",
        "cannot",
        "none",
        "nobody",
        "nothing",
        "lack",
        "lacks",
        "lacked",
        "lacking",
        "absence",
        "fail",
        "fails",
        "failed",
        "failing",
        "unable",
        "unlikely",
        "hardly",
        "rarely",
        "insufficient",
        "nonsignificant",
    ]
)
#: What turns the words before it round.
_NEGATIONS_BEHIND = frozenset(
    [
        "absent",
        "ineffective",
        "unaffected",
        "unaltered",
        "unchanged",
        "unrelated",
        "unimpaired",
        "nonsignificant",
    ]
)
_CLAUSE_ENDS = frozenset(
    [
        ";",
        ":",
        ".",
        "!",
        "?",
        "but",
        "however",
        "whereas",
        "although",
        "though",
        "while",
        "yet",
        "instead",
        "except",
        "despite",
    ]
)
#: Telling words that a negation reaches.
_REACH = 6
_MAYBE = frozenset(["may", "might", "could", "possibly", "perhaps", "potentially", "suggest", "suggests", "suggested", "hypothesize", "hypothesise", "hypothesized", "hypothesised", "unclear", "unknown", "whether", "speculate", "speculated"])  # fmt: skip


class Direction(IntEnum):
    """Which way something goes."""

    DOWN = -1
    UP = 1


#: Beginnings of words, and whole words, that say it.
_UP = """
increas elevat rais enhanc promot upregulat up-regulat activat stimulat induc improv accelerat augment boost strengthen
facilitat potentiat amplif exceed expand exacerbat aggravat outperform outnumber
"""
_DOWN = """
decreas reduc diminish suppress inhibit downregulat down-regulat block attenuat prevent impair declin slow weaken abolish
abrogat antagoni restrict shrink shrank worsen deteriorat deplet mitigat alleviat repress curtail disrupt halv
"""
_UP_WORDS = """
higher high greater more larger longer stronger superior beneficial rise rises rose risen rising grew grows gain gains
better sensitive positive frequent earlier older doubled tripled
"""
_DOWN_WORDS = """
lower lowers lowered lowering low less fewer smaller shorter weaker inferior harmful fall falls fell fallen falling drop drops dropped lose
loses lost loss worse resistant negative rare later younger delay delays delayed limits limited
"""
_BEGINNINGS = tuple((word, Direction.UP) for word in _UP.split()) + tuple(
    (word, Direction.DOWN) for word in _DOWN.split()
)
_WHOLE = dict.fromkeys(_UP_WORDS.split(), Direction.UP) | dict.fromkeys(_DOWN_WORDS.split(), Direction.DOWN)
_LETTERS_AND_DIGITS = re.compile(r"(?=.*\d)(?=.*[^\W\d_])", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A word or number of a sentence, at its place among them."""

    place: int
    text: str
    stem: str
    is_telling: bool
    #: Whether it is written like a name: IL-6, mTOR, HIV; a capital inside a sentence.
    is_name: bool = False
    is_negated: bool = False
    direction: Direction | None = None


@dataclass(frozen=True)
class Number:
    """A number with its unit, "" when it has none."""

    place: int
    value: Decimal
    unit: str
    text: str


@dataclass(frozen=True)
class Claim:
    """A sentence, taken apart."""

    text: str
    tokens: tuple[Token, ...]
    numbers: tuple[Number, ...]
    has_negation: bool
    is_hedged: bool

    @cached_property
    def stems(self) -> frozenset[str]:
        """Of the telling words."""
        return frozenset(token.stem for token in self.tokens if token.is_telling)

    @cached_property
    def names(self) -> dict[str, str]:
        """What is written like a name, by how it is compared."""
        return {folded(token.text): token.text for token in self.tokens if token.is_name}

    @cached_property
    def directions(self) -> tuple[Token, ...]:
        return tuple(token for token in self.tokens if token.direction is not None)


def folded(name: str) -> str:
    """A name as it is compared: "IL-6" is "il6", and letters of the Greek alphabet have their names."""
    return re.sub(r"\W", "", "".join(_spelled(letter) for letter in name.lower()))


def _spelled(letter: str) -> str:
    greek = unicodedata.name(letter, "")
    return (
        greek.removeprefix("GREEK SMALL LETTER ").lower()
        if greek.startswith("GREEK SMALL LETTER ")
        else letter
    )


@lru_cache(maxsize=20_000)
def claim_of(text: str) -> Claim:
    """Take a sentence apart."""
    raw = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(text.translate(_SIGNS))]
    tokens, numbers = _read(raw)
    tokens, has_negation = _negated(raw, tokens)
    is_hedged = any(token.text.lower() in _MAYBE for token in tokens.values())
    return Claim(text, tuple(tokens.values()), tuple(numbers), has_negation, is_hedged)


def _read(raw: list[tuple[str, str]]) -> tuple[dict[int, Token], list[Number]]:
    tokens: dict[int, Token] = {}
    numbers: list[Number] = []
    begins = True
    for place, (kind, text) in enumerate(raw):
        following = raw[place + 1][1] if place + 1 < len(raw) else ""
        if kind == "number":
            numbers.append(_number(place, text, following))
        elif kind == "word":
            if (worded := _worded(place, text, following)) is not None:
                numbers.append(worded)
            else:
                is_unit = bool(numbers) and numbers[-1].place == place - 1 and numbers[-1].unit != ""
                tokens[place] = _token(place, text, begins=begins, is_unit=is_unit)
        begins = kind == "sign" and text in ".!?"
    return tokens, numbers


def _token(place: int, text: str, *, begins: bool, is_unit: bool) -> Token:
    low = text.lower()
    is_name = not is_unit and _is_name(text, begins=begins)
    is_telling = low not in ASKING and low not in _NEGATIONS and (len(low) > 1 or is_name) and not is_unit
    return Token(place, text, stem(low), is_telling, is_name, direction=_direction(low))


@lru_cache(maxsize=50_000)
def _direction(word: str) -> Direction | None:
    for part in (word, *word.split("-")):
        if (known := _WHOLE.get(part)) is not None:
            return known
        for beginning, direction in _BEGINNINGS:
            if part.startswith(beginning):
                return direction
    return None


def _is_name(text: str, *, begins: bool) -> bool:
    if _LETTERS_AND_DIGITS.match(text) or any(letter.isupper() for letter in text[1:]):
        return True
    return text[:1].isupper() and not begins and text.lower() not in ASKING


def _number(place: int, text: str, following: str) -> Number:
    plain = re.sub(r",(?=\d{3}(?!\d))", "", text).replace(",", ".")
    value = Decimal(plain)
    if following.lower() in _POWERS:
        value *= _POWERS[following.lower()]
    return Number(place, value, _unit(following), text)


def _unit(following: str) -> str:
    following = following.replace("\N{GREEK SMALL LETTER MU}", "u").lstrip("-")
    if following in _CASED:
        return _CASED[following]
    low = following.lower()
    return _UNITS.get(low) or _UNITS.get(re.split(r"[-/]", low)[0], "")


def _worded(place: int, text: str, following: str) -> Number | None:
    """A number in words: "twenty", "twofold", "five-year"."""
    low = text.lower()
    if low in _FOLD_WORDS:
        return Number(place, _FOLD_WORDS[low], "fold", text)
    first, _, rest = low.partition("-")
    if first.endswith("fold") and (value := _WORD_NUMBERS.get(first.removesuffix("fold"))) is not None:
        return Number(place, value, "fold", text)
    value = _WORD_NUMBERS.get(first)
    if value is None or (rest and rest not in _UNITS):
        return None
    if following.lower() in _POWERS:
        value *= _POWERS[following.lower()]
    return Number(place, value, _unit(rest or following), text)


def _negated(raw: list[tuple[str, str]], tokens: dict[int, Token]) -> tuple[dict[int, Token], bool]:
    """The tokens with those marked that a negation reaches, and whether there is any."""
    reached: set[int] = set()
    cues = 0
    for place, (_, text) in enumerate(raw):
        low = text.lower()
        following = raw[place + 1][1].lower() if place + 1 < len(raw) else ""
        if (low in _NEGATIONS or low.endswith("n't")) and not (
            low in ("not", "no") and following in ("only", "less")
        ):
            cues += 1
            reached |= set(_reach(raw, tokens, range(place + 1, len(raw))))
        elif low in _NEGATIONS_BEHIND:
            cues += 1
            reached |= set(_reach(raw, tokens, range(place - 1, -1, -1)))
    marked = {
        place: Token(
            token.place,
            token.text,
            token.stem,
            token.is_telling,
            token.is_name,
            place in reached,
            token.direction,
        )
        for place, token in tokens.items()
    }
    return marked, cues > 0


def _reach(raw: list[tuple[str, str]], tokens: dict[int, Token], places: range) -> Iterator[int]:
    counted = 0
    for place in places:
        if raw[place][1].lower() in _CLAUSE_ENDS or counted == _REACH:
            return
        if place in tokens and tokens[place].is_telling:
            counted += 1
            yield place
