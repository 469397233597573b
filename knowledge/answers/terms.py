"""The telling words of sentences and questions."""

from knowledge.search.words import COMMON, stem, words

_ASKING = """
am any anybody anyone anything been best can cannot could did do does doing done every from further get give good had has have having he her
here him his how i me more most much many my our over please shall she should so some something tell than that than them those
through under very we were what when where whether which while who whom whose why would you your about after also among because
between both during each either following its may might must other same several since under using via within without yes
"""
#: Words that say how somebody speaks, not of what.
ASKING = COMMON | frozenset(_ASKING.split())


def telling(text: str) -> set[str]:
    """The stems of the words that say what a text is about; of single letters and digits only the digits."""
    return {
        stem(word) for word, _, _ in words(text) if word not in ASKING and (len(word) > 1 or word.isdigit())
    }


def telling_of_question(question: str) -> set[str]:
    """The same of a question; all its words when it has no others."""
    return telling(question) or {stem(word) for word, _, _ in words(question)}
