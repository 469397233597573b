"""What a search result shows of a post: title, address and description, cut as search engines cut them.

Search engines do not publish their rules, and change them. Ours is the common reading of what they show: the title
ends before it is longer than 60 characters or wider than 600 pixels in Arial at 20 pixels, whichever comes first;
the description ends within 160 characters. Both are cut between words, with " …" at the end, and the dots count.
"""

import unicodedata
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from publishing.seo.words import one_line, shortened

TITLE_CHARS = 60
TITLE_PIXELS = 600
DESCRIPTION_CHARS = 160
_FONT_PIXELS = 20
#: Characters of Arial by their width in thousandths of the font size; figures of the common metrics of Helvetica.
_WIDTHS = {
    character: width
    for width, characters in {
        191: "'",
        222: "ijl‘’",
        260: "|",
        278: " !,./:;I[]\\ftı",
        333: "-()`r“”„·",
        350: "•",
        355: '"',
        389: "*",
        469: "^",
        500: "Jckscvxyz",
        556: "0123456789abdeghnopquL?$#_–«»",
        584: "+<=>~",
        611: "FTZß",
        667: "&ABEKPSVXY",
        722: "CDHNRUw",
        778: "GOQ",
        833: "Mm",
        889: "%",
        944: "W",
        1000: "…—œæ",
        1015: "@",
    }.items()
    for character in characters
}
_WIDE, _USUAL = 1000, 556


@dataclass(frozen=True)
class Snippet:
    title: str
    is_title_cut: bool
    #: How wide the whole title would be; about, since fonts differ.
    title_pixels: int
    #: The address as a trail: "https://blog.example › news › my-post".
    breadcrumb: str
    description: str
    is_description_cut: bool
    #: True if there was no meta description and the beginning of the text stands in for it.
    is_description_from_text: bool


def snippet(*, title: str, url: str, description: str = "", text: str = "") -> Snippet:
    """The search result of a post with this title (the meta title, if it has one) at this absolute address.

    `text` is the post's own text: search engines show some of it when there is no meta description.
    """
    whole_title = one_line(title)
    shown_title = _fitting(whole_title)
    whole = one_line(description)
    from_text = not whole and bool(one_line(text))
    whole = whole or one_line(text)
    shown = shortened(whole, DESCRIPTION_CHARS)
    return Snippet(
        title=shown_title,
        is_title_cut=shown_title != whole_title,
        title_pixels=pixels(whole_title),
        breadcrumb=breadcrumb(url),
        description=shown,
        is_description_cut=shown != whole,
        is_description_from_text=from_text,
    )


def pixels(text: str) -> int:
    """How wide the text is in Arial at 20 pixels, about: kerning is left out, and unknown signs are of usual width."""
    return round(sum(map(_width, unicodedata.normalize("NFC", text))) * _FONT_PIXELS / 1000)


def breadcrumb(url: str) -> str:
    """An address as search results show it: the site, then the folders, without query and extra slashes.

    Raises ValueError for what cannot be an address, such as "http://[".
    """
    parts = urlsplit(url.strip())
    site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else ""
    folders = [one_line(unquote(folder)) for folder in parts.path.split("/")]
    return " › ".join(piece for piece in (site, *folders) if piece)


def _fitting(title: str) -> str:
    """The longest beginning of the title that fits both limits."""
    if _fits(title):
        return title
    cut = title
    for limit in range(min(len(title), TITLE_CHARS), 1, -1):
        cut = shortened(title, limit)
        if _fits(cut):
            break
    return cut


def _fits(title: str) -> bool:
    return len(title) <= TITLE_CHARS and pixels(title) <= TITLE_PIXELS


def _width(character: str) -> int:
    if (known := _WIDTHS.get(character)) is not None:
        return known
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in {"W", "F"}:
        return _WIDE
    base = unicodedata.normalize("NFD", character)[0]
    return _WIDTHS.get(base, _USUAL)
