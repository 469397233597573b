"""Whether a claim agrees with a text that it is said to stand on, as far as rules can tell. Strict: in doubt it does not."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import takewhile

from knowledge.answers.claims import Claim, Direction, Number, Token, claim_of, folded
from knowledge.search.words import stem

_GENERAL_WORDS = """
study studies trial trials research researchers authors finding findings found show shows showed shown report reported reports
observe observed observation result results data evidence according conclude concluded overall indicate demonstrate demonstrated
paper investigate analysis compared
"""
_OWN_WORDS = """
confirm confirmed reveal revealed establish established provide provides provided support supports suggest suggests suggested
finally furthermore moreover previously recently recent present new novel strong strongly clear clearly taken together collectively
first direct work current known note noted notably evident likely possible estimate estimated
"""
#: Words that anybody may add to what a source says.
_GENERAL = frozenset(stem(word) for word in _GENERAL_WORDS.split())
#: Words of a source in front of "that" which leave what follows the source's own word.
_OWN_WORD = _GENERAL | frozenset(stem(word) for word in _OWN_WORDS.split())
#: Words that stand for each other.
_SAME = {
    stem(word): frozenset(stem(other) for other in group.split())
    for group in (
        "patient people person individual participant subject",
        "death mortality died fatal fatality deaths",
        "men male man males",
        "women female woman females",
        "child children pediatric paediatric",
        "associated association linked correlated correlation related",
        "tumor tumour",
        "adult adults",
        "effective efficacy effectiveness",
    )
    for word in group.split()
}
#: Stems are of one word when they begin with so many same letters, and with so large a part of the longer one.
_LEAST_SHARED, _SHARE = 6, 0.75


def objection(claim: Claim, source: Claim) -> str:
    """Why the source does not bear the claim out; "" if nothing speaks against it."""
    return next((reason for check in _CHECKS if (reason := check(claim, source))), "")


def disagree(one: str, two: str) -> bool:
    """Whether two sentences that speak of the same thing seem to say the opposite of it."""
    first, second = claim_of(one), claim_of(two)
    return any(
        check(claim, other)
        for check in (_negation, _direction)
        for claim, other in ((first, second), (second, first))
    )


def unknown(claim: Claim, source: Claim) -> list[str]:
    """The telling words of a claim that the source does not have in any form, in their order."""
    return list(
        dict.fromkeys(
            token.text
            for token in _telling(claim)
            if token.stem not in _GENERAL
            and not (token.direction and source.directions)
            and not _has_word(source, token)
        )
    )


def _has_word(source: Claim, token: Token) -> bool:
    if token.stem in source.stems:
        return True
    alike = _SAME.get(token.stem, frozenset())
    return any(root in alike or _is_form_of(token.stem, root) for root in source.stems)


def _is_form_of(one: str, two: str) -> bool:
    """Whether two stems are of one word: "inhibit" and "inhibitor". Names of drugs that begin alike are not."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))
    return shared >= _LEAST_SHARED and shared >= _SHARE * max(len(one), len(two))


def _numbers(claim: Claim, source: Claim) -> str:
    missing = [number for number in claim.numbers if not _has_number(source, number)]
    if missing:
        return f"The number {_shown(missing[0])} does not stand in what it cites."
    return ""


def _has_number(source: Claim, number: Number) -> bool:
    same = [other for other in source.numbers if other.value == number.value]
    if any(other.unit == number.unit or not number.unit for other in same):
        return True
    # "10, 20 and 30 mg": the unit stands once, for all of them.
    listed = any(other.unit == number.unit for other in source.numbers)
    return listed and any(not other.unit for other in same)


def _shown(number: Number) -> str:
    return f"{number.text}{'' if number.unit in ('', '%', '‰') else ' '}{number.unit}"


def _names(claim: Claim, source: Claim) -> str:
    known = {folded(token.text) for token in source.tokens}
    known |= {folded(one.text + two.text) for one, two in zip(source.tokens, source.tokens[1:], strict=False)}
    for key, name in claim.names.items():
        if key not in known and key.removesuffix("s") not in known and f"{key}s" not in known:
            return f"The name “{name}” does not stand in what it cites."
    return ""


def _words(claim: Claim, source: Claim) -> str:
    added = unknown(claim, source)
    return f"The word “{added[0]}” does not stand in what it cites." if added else ""


def _frame(claim: Claim, source: Claim) -> str:
    """What a source only tells of, such as what somebody is asked to say, is not its own word."""
    for token in source.tokens:
        if token.text.lower() != "that" or any(other.text.lower() == "that" for other in claim.tokens):
            continue
        behind = {other.stem for other in _telling(source) if other.place > token.place}
        before = [other for other in _telling(source) if other.place < token.place]
        foreign = [other.text for other in before if other.stem not in _OWN_WORD | claim.stems]
        if foreign and claim.stems <= behind:
            return f"What it cites only tells of that (“{foreign[0]} … that”)."
    return ""


def _negation(claim: Claim, source: Claim) -> str:
    if claim.has_negation != source.has_negation:
        return "It denies what it cites." if claim.has_negation else "What it cites denies this."
    if not claim.has_negation:
        return ""
    for token in _telling(claim):
        there = [other for other in _telling(source) if other.stem == token.stem]
        if there and all(other.is_negated != token.is_negated for other in there):
            return f"The negation of “{token.text}” is not that of what it cites."
    return ""


def _direction(claim: Claim, source: Claim) -> str:
    for cue in claim.directions:
        same = [other for other in source.directions if other.direction == cue.direction]
        if not same:
            if any(other.stem == cue.stem for other in source.tokens):
                continue
            return (
                f"It says “{cue.text}”, and what it cites does not."
                if source.directions
                else (f"“{cue.text}” does not stand in what it cites.")
            )
        if any(other.stem == cue.stem for other in same) and len(source.directions) == 1:
            continue
        if _turned(claim, cue, source):
            return f"What is said to go one way (“{cue.text}”) goes the other way in what it cites."
    return ""


def _turned(claim: Claim, cue: Token, source: Claim) -> bool:
    """Whether what the cue is about goes the other way in the source, where each thing goes as its nearest cue says."""
    about = _nearest(claim, cue)
    ways: list[Direction | None] = []
    for root in about:
        there = [other for other in _telling(source) if other.stem == root and other.direction is None]
        ways += [_way(other, source) for other in there[:1]]
    return bool(ways) and all(way is not None and way != cue.direction for way in ways)


def _nearest(claim: Claim, cue: Token) -> list[str]:
    """The stem of what a cue is about: the telling words right behind it, or before it at the end of a sentence."""
    behind = [token for token in _telling(claim) if token.place > cue.place and token.direction is None]
    before = [token for token in _telling(claim) if token.place < cue.place and token.direction is None]
    return [token.stem for token in (behind[:1] or before[-1:])]


def _way(token: Token, source: Claim) -> Direction | None:
    if not source.directions:
        return None
    return min(
        source.directions, key=lambda cue: (abs(cue.place - token.place), cue.place > token.place)
    ).direction


def _owners(claim: Claim, source: Claim) -> str:
    """Numbers that have changed places: "10% on placebo, 20% on aspirin" is not "20% on placebo, 10% on aspirin"."""
    for unit in dict.fromkeys(number.unit for number in claim.numbers):
        here, there = _alone(_owned(claim, unit)), _alone(_owned(source, unit))
        for value, roots in here.items():
            others: set[str] = set().union(*(owned for other, owned in there.items() if other != value))
            if roots & others and not roots & there.get(value, set()):
                return f"The number {value} belongs to something else in what it cites."
    return ""


def _alone(owned: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without the words that several numbers own."""
    counts = Counter(root for roots in owned.values() for root in roots)
    return {value: {root for root in roots if counts[root] == 1} for value, roots in owned.items()}


def _owned(claim: Claim, unit: str) -> dict[str, set[str]]:
    """The telling words that stand with each number of a unit: those behind it, or else before it."""
    places = {number.place: number for number in claim.numbers if number.unit == unit}
    telling = list(_telling(claim))
    is_first = any(token.place > max(places, default=0) + 1 for token in telling)
    owned: dict[str, set[str]] = {}
    for place, number in places.items():
        if is_first:
            low, high = place, min((other for other in places if other > place), default=len(claim.text))
        else:
            low, high = max((other for other in places if other < place), default=-1), place
        roots = {token.stem for token in telling if low < token.place < high}
        owned.setdefault(f"{number.value.normalize():f}", set()).update(roots)
    return owned


def _sides(claim: Claim, source: Claim) -> str:
    """Who does what to whom, and what is more than what: both sides of the same word have not changed places."""
    for token in claim.tokens:
        if token.direction is None and token.text.lower() not in (
            "than",
            "versus",
            "causes",
            "caused",
            "binds",
            "regulates",
        ):
            continue
        pivots = [other for other in source.tokens if other.stem == token.stem]
        if len(pivots) != 1 or _is_passive(claim, token) != _is_passive(source, pivots[0]):
            continue
        before, behind = _around(claim, token)
        before_there, behind_there = _around(source, pivots[0])
        left, right = before & behind_there - before_there, behind & before_there - behind_there
        if left and right and not before & before_there:
            return f"What stands before and behind “{token.text}” has changed places."
    return ""


def _is_passive(claim: Claim, token: Token) -> bool:
    return any(other.place == token.place + 1 and other.text.lower() == "by" for other in claim.tokens)


def _around(claim: Claim, pivot: Token) -> tuple[set[str], set[str]]:
    telling = [token for token in _telling(claim) if token.direction is None]
    return (
        {token.stem for token in telling if token.place < pivot.place},
        {token.stem for token in telling if token.place > pivot.place},
    )


def _telling(claim: Claim) -> Iterable[Token]:
    return (token for token in claim.tokens if token.is_telling)


_CHECKS: tuple[Callable[[Claim, Claim], str], ...] = (
    _numbers,
    _names,
    _words,
    _frame,
    _negation,
    _sides,
    _direction,
    _owners,
)
