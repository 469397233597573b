"""Names of authors that sources give in one piece."""

import re

from knowledge.records import Author

_GROUP = re.compile(
    r"\b(?:collaborations?|consortium|group|team|network|committee|investigators|society)\b", re.IGNORECASE
)
_SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"}
#: Words in front of a family name that belong to it.
_PARTICLES = {
    *[
        "da",
        "de",
        "del",
        "della",
        "den",
        "der",
        "des",
        "di",
        "dos",
        "du",
        "el",
        "la",
        "le",
        "ten",
        "ter",
        "van",
        "von",
        "zu",
        "zur",
    ]
}


def split_name(name: str, affiliations: tuple[str, ...] = ()) -> Author:
    """The author that "Ludwig van Beethoven" or "The ATLAS Collaboration" names."""
    words = name.split()
    if len(words) < 2 or _GROUP.search(name):
        is_person = len(words) == 1
        return Author(
            family=name if is_person else "", collective="" if is_person else name, affiliations=affiliations
        )
    suffix = words.pop() if words[-1].lower() in _SUFFIXES and len(words) > 2 else ""
    start = len(words) - 1
    while start > 1 and words[start - 1].lower() in _PARTICLES and words[start - 1][0].islower():
        start -= 1
    given = words[:start]
    return Author(
        family=" ".join(words[start:]),
        given=" ".join(given),
        initials=initials_of(" ".join(given)),
        suffix=suffix,
        affiliations=affiliations,
    )


def initials_of(given: str) -> str:
    """ "Ada B." is AB, "Jean-Luc" is JL."""
    return "".join(part[0].upper() for part in re.split(r"[\s.\-]+", given) if part)
