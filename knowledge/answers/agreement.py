"""Whether a claim agrees with a text that it is said to stand on, as far as rules can tell. Strict: in doubt it does not."""

from collections.abc import Callable, Iterable

from knowledge.answers.claims import Claim, Direction, Number, Token, claim_of, folded


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
    for stem in about:
        there = [other for other in _telling(source) if other.stem == stem and other.direction is None]
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
    if len(claim.numbers) < 2:
        return ""
    here, there = _owned(claim), _owned(source)
    for value, stems in here.items():
        own = there.get(value, set())
        others = set().union(*(owned for other, owned in there.items() if other != value and other in here))
        if stems & others and not stems & own:
            return f"The number {value} belongs to something else in what it cites."
    return ""


def _owned(claim: Claim) -> dict[str, set[str]]:
    """The telling words that stand with each number: those behind it, or before it when none stands behind the last."""
    places = [number.place for number in claim.numbers]
    telling = list(_telling(claim))
    is_first = any(token.place > places[-1] + 1 for token in telling) if places else False
    owned: dict[str, set[str]] = {}
    for number in claim.numbers:
        bounds = [place for place in places if (place > number.place) == is_first and place != number.place]
        if is_first:
            low, high = number.place, min(bounds, default=number.place + 1000)
        else:
            low, high = max(bounds, default=-1), number.place
        stems = {token.stem for token in telling if low < token.place < high}
        owned.setdefault(f"{number.value.normalize():f}", set()).update(stems)
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
    _negation,
    _direction,
    _owners,
    _sides,
)
