"""The text of a post as HTML for a page of ours, and for feeds."""

import re
from functools import lru_cache
from html import escape, unescape

import nh3

from publishing.feeds.sanitise import clean_html, new_cleaner, web_address

#: A tag of sanitised HTML: attributes always stand in double quotes.
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)((?:\s+[^\s\"'<>=/]+=\"[^\"]*\")*)\s*/?>")
_CITE = re.compile(r"(\scite=\")([^\"]*)\"")
_H1 = re.compile(r"<h1[\s>]")
_IMAGE = re.compile(r"<img\s[^>]*?\bsrc=\"(https?://[^\"]+)\"")
#: Parts of a page: on ours they are where we put them.
_LANDMARKS = frozenset({"aside", "footer", "header", "main", "nav"})
_SCROLLER = '<div class="scroll" role="group" tabindex="0">'


def for_page(html: str) -> str:
    """Harmless HTML that goes below a title of level 1: its headings below it, wide parts in boxes that scroll.

    Images without a description count as decoration. What is made here is sanitised once more.
    """
    html = clean_html(html)
    shift = 1 if _H1.search(html) else 0

    def adapted(tag: re.Match[str]) -> str:
        slash, name, attributes = tag.groups()
        if name == "table":
            return "</table></div>" if slash else f"{_SCROLLER}<table{attributes}>"
        if shift and len(name) == 2 and name[0] == "h" and name[1] in "12345":
            return f"<{slash}h{int(name[1]) + 1}{attributes}>"
        if name == "img":
            alt = "" if ' alt="' in attributes else ' alt=""'
            return f'<img{attributes}{alt} loading="lazy" decoding="async">'
        if name == "pre" and not slash:
            return f'<pre{attributes} tabindex="0">'
        return tag[0]

    return _page_cleaner().clean(_TAG.sub(adapted, html))


def for_feed(html: str, url: str) -> str:
    """Harmless HTML that can be read anywhere: every address in it is absolute, seen from the post's own."""

    def absolute(tag: re.Match[str]) -> str:
        return _CITE.sub(lambda cite: f'{cite[1]}{escape(web_address(unescape(cite[2]), url))}"', tag[0])

    html = clean_html(html, url)
    return (
        _TAG.sub(absolute, html) if "cite=" in html else html
    )  # the sanitiser leaves sources of quotations alone


def first_image(html: str, url: str) -> str:
    """The address of its first image; "" if there is none."""
    found = _IMAGE.search(for_feed(html, url)) if "<img" in html else None
    return unescape(found[1]) if found else ""


@lru_cache(maxsize=1)
def _page_cleaner() -> nh3.Cleaner:
    """Lets our own boxes through, and nothing else of their kind."""
    return new_cleaner(
        without=_LANDMARKS,
        tag_attribute_values={
            "div": {"class": {"scroll"}, "role": {"group"}, "tabindex": {"0"}},
            "pre": {"tabindex": {"0"}},
            "img": {"loading": {"lazy"}, "decoding": {"async"}},
        },
    )
