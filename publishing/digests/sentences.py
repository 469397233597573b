"""The sentences of a piece of HTML that can stand alone as a quotation."""

# ruff: noqa: RUF001 - typographic signs are what it is about

import html as markup
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import nh3

from publishing.feeds.hardening import legal
from publishing.feeds.sanitise import clean_html
from publishing.languages import Language
from publishing.words import count_words

#: No more of an item is read.
MAX_HTML_CHARS = 30_000
#: No more sentences of an item are considered: what matters comes early.
MAX_SENTENCES = 24
FEWEST_WORDS, MOST_WORDS = 6, 45
MAX_CHARS = 400

_BLOCKS = frozenset(
    ["article", "br", "center", "dd", "details", "div", "dl", "hr", "li", "main", "ol", "p", "section", "ul"]
)
#: What is not the author's running text: headings, menus, tables, other people's words, words that were struck out.
_SKIPPED = frozenset(
    [
        "aside", "audio", "blockquote", "caption", "del", "dt", "figure", "figcaption", "footer", "h1", "h2", "h3", "h4",
        "h5", "h6", "header", "hgroup", "nav", "pre", "ruby", "s", "strike", "summary", "table", "video",
    ]
)  # fmt: skip
_BARE = nh3.Cleaner(tags=set(_BLOCKS | _SKIPPED | {"a"}), attributes={}, link_rel=None)
#: All that is left after `_BARE`: no attributes, no comments, and every other sign escaped.
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)>")
_SPACE = re.compile(r"\s+")
_ENDS = ".!?…。！？"
_CLOSING = "\"'’”»«“)]」』）"
_OPENING = "\"'‘“”„«»([¿¡"
_WIDE_ENDS = "。！？"
#: Words with what is written onto them; texts without spaces are parted after their full stops.
_TOKEN = re.compile(r"[^\s。！？]+[。！？]*[」』）]*|[。！？]+[」』）]*")
_PAIRS = ("()", "[]", "«»")
_QUOTES = '"„“”'
_ADDRESS = re.compile(r"https?://|www\.|\S@\S", re.IGNORECASE)
#: Signs that turn the direction of what follows, and placeholders of objects.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069\ufffc\ufffd]")
#: What sites say to readers and not about the subject.
_CHATTER = re.compile(
    r"""read\ (?:more|on|the\ (?:full|whole|rest))|continue\ reading|click\ here|sign\ up|subscribe|newsletter
    |(?:share|follow)\ (?:this|us|on)|leave\ a\ comment|all\ rights\ reserved|cookies|privacy\ policy|appeared\ first\ on
    |terms\ of\ (?:use|service)|log\ in|advertis|sponsored|related\ (?:posts|articles)|skip\ to|©|copyright
    |weiterlesen|mehr\ lesen|hier\ klicken|jetzt\ anmelden|abonnier|datenschutz|impressum|alle\ rechte\ vorbehalten
    |lire\ (?:la\ suite|aussi)|cliquez\ ici|abonnez|inscrivez|tous\ droits\ réservés|en\ savoir\ plus
    |leer\ más|sigue\ leyendo|haz\ clic|suscríb|todos\ los\ derechos\ reservados
    |leggi\ (?:tutto|anche|di\ più)|clicca\ qui|iscriviti|abbonati|tutti\ i\ diritti\ riservati
    |czytaj\ (?:dalej|więcej|też|także)|kliknij|zapisz\ się|subskry|polityk[ai]\ prywatności|wszelkie\ prawa\ zastrzeżone""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Sentence:
    """One sentence, exactly as its author wrote it, white space apart."""

    text: str
    #: Its number among all sentences of the item, from 0.
    place: int
    words: int


@dataclass(frozen=True)
class _Paragraph:
    text: str
    #: For each link the first and the last place of its text.
    links: tuple[tuple[int, int], ...]


def running_text(source: str) -> str:
    """The author's running text on one line: every sentence of `quotable` occurs in it."""
    return " ".join(paragraph.text for paragraph in _paragraphs(source))


def quotable(source: str, language: Language) -> list[Sentence]:
    """The sentences that say something and can be read alone; at most 24."""
    found: list[Sentence] = []
    place = 0
    for paragraph in _paragraphs(source):
        for start, end in _spans(paragraph.text, language):
            text = paragraph.text[start:end]
            words = count_words(text)
            if _is_quotable(text, words) and _linked(paragraph, start, end) * 2 <= len(text):
                found.append(Sentence(text, place, words))
                if len(found) == MAX_SENTENCES:
                    return found
            place += 1
    return found


def _paragraphs(source: str) -> Iterator[_Paragraph]:
    text = ""
    links: list[tuple[int, int]] = []
    for segment in _segments(source):
        if segment is None:
            if text.strip():
                yield _Paragraph(text.rstrip(), tuple(links))
            text, links = "", []
            continue
        piece, is_linked = segment
        if not text or text.endswith(" "):
            piece = piece.lstrip(" ")
        if is_linked:
            links.append((len(text), len(text) + len(piece)))
        text += piece


def _segments(source: str) -> Iterator[tuple[str, bool] | None]:
    """The pieces of text, each with whether it is a link; None where a paragraph ends."""
    pieces = _TAG.split(_BARE.clean(clean_html(source[:MAX_HTML_CHARS])))
    skipping, is_linked = 0, False
    for text, slash, name in zip(pieces[::3], [*pieces[1::3], ""], [*pieces[2::3], ""], strict=True):
        if text and not skipping:
            yield _SPACE.sub(" ", legal(markup.unescape(text))), is_linked
        if name == "a":
            is_linked = not slash
            continue
        if name in _SKIPPED:
            skipping += -1 if slash else 1
        yield None


def _spans(text: str, language: Language) -> Iterator[tuple[int, int]]:
    tokens = list(_TOKEN.finditer(text))
    start = 0
    for token, following in zip_longest(tokens, tokens[1:]):
        if following is None:
            yield start, token.end()
        elif _is_end(token[0], following[0], language):
            yield start, token.end()
            start = following.start()


def _is_end(token: str, following: str, language: Language) -> bool:
    """Whether a sentence ends with this token: "Smith." does, "Dr." and "3." before "May" do not."""
    bare = token.rstrip(_CLOSING)
    last = bare[-1:]
    if not last or last not in _ENDS:
        return False
    if last in _WIDE_ENDS:
        return True
    if following.lstrip(_OPENING)[:1].islower():
        return False
    word = bare[:-1].lstrip(_OPENING).casefold()
    if last != "." or word.endswith("."):
        return True
    is_initial = len(word) == 1 and word.isalpha()
    is_ordinal = language.has_ordinal_dots and word.isdigit() and len(word) <= 2
    return not (is_initial or is_ordinal or word in language.abbreviations)


def _is_quotable(text: str, words: int) -> bool:
    return (
        FEWEST_WORDS <= words <= MOST_WORDS
        and len(text) <= MAX_CHARS
        and _is_whole(text)
        and _is_prose(text)
        and not (_ADDRESS.search(text) or _TURNING.search(text) or _CHATTER.search(text))
    )


def _is_whole(text: str) -> bool:
    """Whether it begins and ends as a sentence does, with every quotation mark and bracket in a pair."""
    first = text.lstrip(_OPENING)[:1]
    bare = text.rstrip(_CLOSING)
    return (
        first.isalnum()
        and not first.islower()
        and bare.endswith((".", "!", "?", *_WIDE_ENDS))
        and not bare.endswith("..")
        and "[…" not in text
        and "[..." not in text
        and all(text.count(pair[0]) == text.count(pair[1]) for pair in _PAIRS)
        and sum(map(text.count, _QUOTES)) % 2 == 0
    )


def _is_prose(text: str) -> bool:
    """Whether it is made of letters, and not shouted."""
    letters = sum(map(str.isalpha, text))
    signs = len(text) - text.count(" ")
    return letters >= 0.6 * signs and sum(map(str.isupper, text)) <= 0.5 * letters


def _linked(paragraph: _Paragraph, start: int, end: int) -> int:
    """How many signs between the two places belong to links."""
    return sum(max(min(end, last) - max(start, first), 0) for first, last in paragraph.links)
