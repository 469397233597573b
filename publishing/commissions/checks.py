"""What a model's text must not be, and what an editor should know of it."""

from collections import Counter

from chat import Unusable
from publishing.commissions.material import Material
from publishing.commissions.page import Page
from publishing.digests.phrases import phrases_of
from publishing.feeds.sanitise import plain_text
from publishing.languages import known_languages, language_code
from publishing.words import count_words, mentions, words
from publishing.writers.base import Brief

WHOLE_TEXT = 1_000_000
#: A text with fewer than this share of the fewest words wanted, or more than that of the most, is not what was asked for.
SHORTEST_SHARE, LONGEST_SHARE = 0.5, 2.0
#: Fewer words tell nothing about their language.
_FEWEST_WORDS = 60
#: In a running text so many of its words at least are stop words of its language.
_STOP_WORDS = 0.2
_FIRST_WORDS = 100


def check(page: Page, brief: Brief, material: Material) -> list[str]:
    """Notes for an editor. Raises Unusable, in words to the model, for a text that must not go out."""
    text = plain_text(page.html, WHOLE_TEXT)
    problems = [
        problem
        for problem in (
            _length(count_words(text), brief),
            _language(text, brief),
            *(
                f"It has “{phrase}” in it, which must not occur."
                for phrase in brief.avoid
                if mentions(text, phrase)
            ),
            "It names none of its sources by their numbers, such as [1]."
            if material.items and not page.item_ids
            else "",
        )
        if problem
    ]
    if problems:
        raise Unusable(" ".join(problems))
    return [*page.notes, *_notes(page, text, brief, material)]


def _length(count: int, brief: Brief) -> str:
    fewest, most = brief.words
    if fewest * SHORTEST_SHARE <= count <= most * LONGEST_SHARE:
        return ""
    return f"It has {count} words, and {fewest} to {most} were asked for."


def _language(text: str, brief: Brief) -> str:
    """Why a text is in another language than it should be; "" when it seems to be in the right one."""
    shares = _shares(text)
    if not shares:
        return ""
    wanted = language_code(brief.language)
    likeliest = max(shares, key=lambda code: shares[code])
    if likeliest == wanted or shares[likeliest] < _STOP_WORDS:
        return ""
    if wanted in shares and shares[wanted] >= 0.7 * shares[likeliest]:
        return ""
    if wanted not in shares and likeliest != "en":
        return ""  # it may be a neighbour of that language: nobody here knows its words
    return f"It seems to be in the language “{likeliest}”, and “{brief.language}” was asked for."


def _shares(text: str) -> dict[str, float]:
    """How many of a text's words are stop words of each language; nothing for short texts."""
    counts = Counter(word.casefold().replace("’", "'") for word in words(text))
    total = counts.total()
    if total < _FEWEST_WORDS:
        return {}
    return {
        language.code: sum(counts[word] for word in language.stop_words) / total
        for language in known_languages()
    }


def _notes(page: Page, text: str, brief: Brief, material: Material) -> list[str]:
    notes = [f"The section “{heading}” names no source." for heading in page.unsupported]
    count, (fewest, most) = count_words(text), brief.words
    if not fewest <= count <= most:
        notes.append(f"It has {count} words; {fewest} to {most} were asked for.")
    if brief.keyword and not mentions(" ".join(text.split()[:_FIRST_WORDS]), brief.keyword):
        where = "the first 100 words" if mentions(text, brief.keyword) else "the text"
        notes.append(f"The main keyword “{brief.keyword}” does not occur in {where}.")
    if not material.items:
        notes.append("It stands on no sources: its facts have to be checked.")
    if material.left_out:
        notes.append(f"Items with a keyword to avoid in title or source were left out: {material.left_out}.")
    if page.item_ids and phrases_of(brief.language) is None:
        notes.append(f"The list of sources is headed in English: there are no words for “{brief.language}”.")
    return notes
