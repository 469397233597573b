"""HTML from outside, made harmless; and text out of HTML."""

import html
import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin, urlsplit

import nh3

from publishing.feeds.hardening import is_too_deep, legal, tags

#: Longer texts are cut here: no article needs more, and every character is stored.
MAX_HTML_CHARS = 1_000_000
MAX_TEXT_CHARS = 2_000

_TAGS = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "article",
        "aside",
        "audio",
        "b",
        "bdi",
        "bdo",
        "blockquote",
        "br",
        "caption",
        "center",
        "cite",
        "code",
        "col",
        "colgroup",
        "data",
        "dd",
        "del",
        "details",
        "dfn",
        "div",
        "dl",
        "dt",
        "em",
        "figcaption",
        "figure",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hgroup",
        "hr",
        "i",
        "img",
        "ins",
        "kbd",
        "li",
        "main",
        "map",
        "mark",
        "nav",
        "ol",
        "p",
        "picture",
        "pre",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "section",
        "small",
        "source",
        "span",
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "time",
        "tr",
        "track",
        "tt",
        "u",
        "ul",
        "var",
        "video",
        "wbr",
    ]
)
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "abbr": {"title"},
    "audio": {"controls", "src"},
    "bdo": {"dir"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "data": {"value"},
    "del": {"cite", "datetime"},
    "details": {"open"},
    "img": {"alt", "height", "src", "width"},
    "ins": {"cite", "datetime"},
    "li": {"value"},
    "ol": {"reversed", "start", "type"},
    "q": {"cite"},
    "source": {"src", "type"},
    "td": {"colspan", "headers", "rowspan"},
    "th": {"abbr", "colspan", "headers", "rowspan", "scope"},
    "time": {"datetime"},
    "track": {"kind", "label", "src", "srclang"},
    "video": {"controls", "height", "poster", "src", "width"},
}
_SCHEMES = {"http", "https", "mailto"}
_DROPPED_WITH_CONTENT = {"math", "noscript", "script", "style", "svg", "template", "title"}
#: Elements whose content a browser takes as raw text. Unclosed, as in `<iframe … />`, they would swallow the article.
_RAW_FRAMES = re.compile(r"</?(?:iframe|noframes|noembed|xmp)\b[^<>]*+>", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_LOOKS_LIKE_MARKUP = re.compile(r"[<&]")
_BLOCKS = re.compile(
    r"<(?:/?(?:p|div|h[1-6]|li|tr|table|ul|ol|blockquote|section|article)|br)\b[^<>]*>", re.IGNORECASE
)


@lru_cache(maxsize=256)
def _cleaner(base: str) -> nh3.Cleaner:
    """A cleaner for one base address; making one costs more than using it."""
    return new_cleaner(url_relative=("rewrite_with_base", base) if base else "pass_through")


def new_cleaner(*, without: Collection[str] = (), **more: Any) -> nh3.Cleaner:
    """A cleaner of what is harmless, `without` some of its elements; `more` is what nh3 is told besides."""
    return nh3.Cleaner(
        tags=_TAGS.difference(without),
        attributes=_ATTRIBUTES,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
        **more,
    )


_TEXT_ONLY = nh3.Cleaner(tags=set(), clean_content_tags=_DROPPED_WITH_CONTENT)


def clean_html(source: str, base: str = "") -> str:
    """The HTML with only harmless elements, attributes and addresses, relative addresses made absolute.

    HTML that nests too deeply to be built into a tree is given as text.
    """
    source = _RAW_FRAMES.sub("", legal(source[:MAX_HTML_CHARS]))
    if not _LOOKS_LIKE_MARKUP.search(source):
        return source.replace(">", "&gt;").strip()
    if is_too_deep(source):
        return html.escape(_without_tags(source), quote=False).strip()
    return _cleaner(base if _is_web(base) else "").clean(source).strip()


def plain_text(source: str, limit: int = MAX_TEXT_CHARS) -> str:
    """The text of a piece of HTML on one line, at most `limit` characters."""
    source = source[:MAX_HTML_CHARS]
    if _LOOKS_LIKE_MARKUP.search(source):
        spaced = _BLOCKS.sub(" ", _RAW_FRAMES.sub(" ", source))
        source = _without_tags(spaced) if is_too_deep(spaced) else html.unescape(_TEXT_ONLY.clean(spaced))
    return clean_line(source, limit)


def clean_line(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    """Text that is no HTML, on one line, at most `limit` characters."""
    return _SPACE.sub(" ", legal(text)).strip()[:limit]


def web_address(url: str, base: str = "") -> str:
    """The absolute http(s) address, or "" for anything else, such as `javascript:` or nothing at all."""
    url = legal(url).strip()
    try:
        joined = urljoin(base, url) if base and url else url
        return joined if _is_web(joined) and len(joined) <= 2_000 else ""
    except ValueError:
        return ""


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _without_tags(source: str) -> str:
    """What is left of hostile markup without its tags, in linear time."""
    pieces, position = [], 0
    for tag in tags(source):
        pieces.append(source[position : tag.start])
        position = tag.end
    pieces.append(source[position:])
    return html.unescape("".join(pieces))
