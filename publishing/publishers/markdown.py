"""A post's HTML as Markdown, for places that take nothing else. What was text stays text: it cannot become markup there."""

import re

from bs4 import BeautifulSoup, Tag
from markdownify import ATX, MarkdownConverter

_BACKTICKS = re.compile(r"`+")
#: Liquid and its like (Forem, Jekyll, Hugo) act on these even in running text.
_TEMPLATE_TAGS = re.compile(r"\{(?=[{%])")
_IN_ADDRESSES = str.maketrans({"(": "%28", ")": "%29", " ": "%20", "<": "%3C", ">": "%3E", "{": "%7B"})


def markdown_of(body_html: str) -> str:
    """The same text in Markdown, without a line break at its end. The HTML is harmless already."""
    found: str = _Converter().convert(body_html)
    return found.strip()


class _Converter(MarkdownConverter):
    class Options:
        heading_style = ATX
        escape_misc = True
        autolinks = False
        sub_symbol = "<sub>"
        sup_symbol = "<sup>"

    def convert_soup(self, soup: BeautifulSoup) -> str:
        for tag in soup.find_all(True):
            del tag["title"]
            for name in ("href", "src", "poster"):
                if address := tag.get(name):
                    tag[name] = str(address).translate(_IN_ADDRESSES)
        found: str = super().convert_soup(soup)
        return found

    def escape(self, text: str, parent_tags: set[str]) -> str:
        # A backslash before "&" is shown by some; an entity by none.
        escaped = super().escape(text, parent_tags).replace(r"\&", "&amp;")  # type: ignore[misc]  # its stub lacks it
        return _TEMPLATE_TAGS.sub("&#123;", escaped)

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        words = " ".join(str(el.get("alt") or "").split())
        return f"![{self.escape(words, parent_tags)}]({el.get('src') or ''})"

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A fence that is longer than every row of backticks inside."""
        longest = max((len(row) for row in _BACKTICKS.findall(text)), default=0)
        fence = "`" * max(3, longest + 1)
        code = text.strip("\n")
        return f"\n\n{fence}\n{code}\n{fence}\n\n" if code else ""
