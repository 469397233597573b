"""Where a passage has the words of a query."""

from knowledge.chunking import Span
from knowledge.search.words import COMMON, stem, words


def highlights(text: str, stems: frozenset[str]) -> list[Span]:
    """The words of the text that have one of these stems, neighbours joined."""
    found: list[Span] = []
    for word, start, end in words(text):
        if word in COMMON or stem(word) not in stems:
            continue
        if found and text[found[-1].end : start].strip() == "":
            found[-1] = Span(found[-1].start, end)
        else:
            found.append(Span(start, end))
    return found
