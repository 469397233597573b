"""Cuts a text into passages: at sentence ends where it can, of even length, with nothing lost.

A passage is a span of its source, so that a highlight can point back: `text[passage.start:passage.end]` is the
passage. Spans may overlap and skip nothing but white space.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How finely texts are cut."""

    FAST = "fast"
    BALANCED = "balanced"
    QUALITY = "quality"


@dataclass(frozen=True)
class Size:
    """Lengths in characters."""

    #: No passage is longer.
    passage: int
    #: So much of the end of a passage, in whole sentences, may begin the next one too.
    overlap: int

    def __post_init__(self) -> None:
        if self.passage < 1:
            raise ValueError("a passage needs at least one character")
        if not 0 <= self.overlap < self.passage:
            raise ValueError("the overlap must be shorter than a passage")


SIZES = {Mode.FAST: Size(300, 30), Mode.BALANCED: Size(500, 50), Mode.QUALITY: Size(800, 100)}


@dataclass(frozen=True)
class Span:
    """A part of a text, from `start` up to but not including `end`."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters."""
        return text[self.start : self.end]


#: Words before a full stop that does not end a sentence.
_ABBREVIATED = """
al approx ca cf col dr e.g eq eqs etc ex fig figs i.e inc incl jr max min mr mrs ms no nos nr op p pp prof ref refs
resp sec sp spp sr st suppl tab var viz vol vs
"""
ABBREVIATIONS = frozenset(_ABBREVIATED.split())
#: After an ending mark (and closing quotes or brackets), at white space or between CJK characters; or a blank line.
_BOUNDARY = re.compile(r"""(?P<mark>[.!?…]+)["'”’»)\]]*\s+|(?P<wide>[。！？])["'”’」』\uff09]*\s*|\n\s*\n""")
_LAST_WORD = re.compile(r"[^\s(\[\"'“‘]+$")


def sentences(text: str) -> list[Span]:
    """The sentences with the white space after each: together exactly the text."""
    ends = [end for end in _sentence_ends(text) if end < len(text)]
    starts = [0, *ends]
    return [Span(start, end) for start, end in zip(starts, [*ends, len(text)], strict=True) if end > start]


def passages(text: str, size: Size) -> list[Span]:
    """Spans of at most `size.passage` characters that together hold everything but white space."""
    units = [part for sentence in sentences(text) for part in _parts(text, sentence, size.passage)]
    if not units:
        return []
    aim = _aim(text, size)
    found = []
    first = after = 0
    while True:
        after = _fill(units, first, after + 1, size.passage, aim)
        found.append(Span(units[first].start, units[after - 1].end))
        if after == len(units):
            return [_trimmed(text, span) for span in found]
        first = _next_first(units, first, after, size)


def _sentence_ends(text: str) -> Iterator[int]:
    for match in _BOUNDARY.finditer(text):
        if match["mark"] is None or _ends_sentence(text, match):
            yield match.end()


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 1]
    if following.islower():
        return False
    if match["mark"] != ".":
        return True
    word = _LAST_WORD.search(text, max(0, match.start() - 40), match.start())
    if word is None:
        return True
    is_initial = len(word[0]) == 1 and word[0].isupper()
    return not is_initial and word[0].lower() not in ABBREVIATIONS


def _parts(text: str, sentence: Span, longest: int) -> Iterator[Span]:
    """The sentence, or when it is too long for a passage, pieces of it that end between words if possible."""
    content = sentence.start + len(sentence.of(text).rstrip())
    start = _next_word(text, sentence.start, content)
    while content - start > longest:
        cut = _last_space(text, start, start + longest) or start + longest
        yield Span(start, cut)
        start = _next_word(text, cut, content)
    if content > start:
        # White space has no passage of its own, and what follows a sentence counts for nothing.
        yield Span(start, content)


def _next_word(text: str, start: int, end: int) -> int:
    while start < end and text[start].isspace():
        start += 1
    return start


def _last_space(text: str, start: int, end: int) -> int | None:
    """Where the last word that fits ends; None when not one fits."""
    if text[end].isspace():
        return end
    for index in range(end - 1, start, -1):
        if text[index].isspace():
            return index
    return None


def _aim(text: str, size: Size) -> float:
    """The length that cuts the text into equal passages: no crumb at the end."""
    return len(text) / math.ceil(len(text) / size.passage)


def _fill(units: list[Span], first: int, least: int, longest: int, aim: float) -> int:
    """The index after the last unit of the passage that begins with `first`; at least `least`, which fits."""
    start = units[first].start
    after = least
    while after < len(units) and units[after].end - start <= longest:
        middle = (units[after].start + units[after].end) / 2
        if middle - start > aim:
            break
        after += 1
    return after


def _next_first(units: list[Span], first: int, after: int, size: Size) -> int:
    """Where the next passage begins: it repeats what overlaps, if it then still reaches a unit further."""
    chosen = after
    while (
        chosen - 1 > first
        and units[after - 1].end - units[chosen - 1].start <= size.overlap
        and units[after].end - units[chosen - 1].start <= size.passage
    ):
        chosen -= 1
    return chosen


def _trimmed(text: str, span: Span) -> Span:
    content = span.of(text)
    start = span.start + len(content) - len(content.lstrip())
    return Span(start, start + len(content.strip()))
