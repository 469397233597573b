"""Reading a web page: its article without the furniture around it, or the part that a selector names."""

from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from lxml import etree, html
from lxml.cssselect import CSSSelector

from jobs import outbound
from publishing.errors import SourceUnreadable
from publishing.feeds.encoding import decode
from publishing.feeds.hardening import is_too_deep, legal
from publishing.feeds.sanitise import clean_html, clean_line, plain_text, web_address

PAGE = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1"
LIMITS = outbound.Limits(max_bytes=5 * 1024 * 1024)
#: Scripts and styles included; no article is longer.
_MOST_CHARS = 3_000_000


@dataclass(frozen=True)
class Article:
    title: str
    #: Sanitised; "" when there is no running text.
    html: str
    language: str


@dataclass(frozen=True)
class Link:
    url: str
    title: str


class Page:
    """One document, parsed. Raises SourceUnreadable for what is no web page, or built to cost too much."""

    def __init__(self, response: outbound.OutboundResponse) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind and "html" not in kind and kind not in {"text/plain", "application/xml", "text/xml"}:
            raise SourceUnreadable(f"This is not a web page but {kind[:80]}.", status=response.status)
        decoded = decode(response.body, response.headers.get("content-type", ""))
        text = legal(decoded.text)
        if "<" not in text or "\0" in decoded.text:
            raise SourceUnreadable("This is not a web page.", status=response.status)
        if len(text) > _MOST_CHARS or is_too_deep(text):
            raise SourceUnreadable("The page is too large or too deep to be read.", status=response.status)
        try:
            self._tree = html.document_fromstring(text, parser=html.HTMLParser(no_network=True))
        except (etree.LxmlError, ValueError) as error:
            raise SourceUnreadable("This is not a web page.", status=response.status) from error
        self._text = text
        self._url = response.url

    @property
    def title(self) -> str:
        """`og:title`, else the `title` element, else the first heading."""
        for path in ("//meta[@property='og:title']/@content", "//title//text()", "//h1//text()"):
            found = clean_line(" ".join(map(str, self._found(path))))
            if found:
                return found
        return ""

    @property
    def language(self) -> str:
        return clean_line(" ".join(map(str, self._found("/html/@lang"))), 35)

    def article(self) -> Article:
        """The running text, without menus, advertisements and comments."""
        import trafilatura  # costs 0.2 s and 40 MB, and most processes never read a page

        found = trafilatura.extract(
            self._text,
            url=self._url,
            output_format="html",
            include_links=True,
            include_comments=False,
            include_tables=True,
            fast=True,
        )
        body = (found or "").partition("<body>")[2].rpartition("</body>")[0]
        return Article(self.title, clean_html(body, self._url), self.language)

    def selected(self, selector: str) -> Article:
        """What the selector names; raises SourceUnreadable when that is nothing."""
        pieces = [html.tostring(part, encoding="unicode", with_tail=False) for part in self._select(selector)]
        return Article(self.title, clean_html("".join(pieces), self._url), self.language)

    def links(self, selector: str, *, limit: int) -> list[Link]:
        """The links in what the selector names, each once, in their order; raises SourceUnreadable for nothing."""
        found: dict[str, Link] = {}
        for part in self._select(selector):
            for anchor in part.iter("a"):
                url = web_address(anchor.get("href") or "", self._url).partition("#")[0]
                title = plain_text(html.tostring(anchor, encoding="unicode", with_tail=False))
                if url and (url not in found or (title and not found[url].title)):
                    found[url] = Link(url, title)
                if len(found) >= limit:
                    return list(found.values())
        return list(found.values())

    def _select(self, selector: str) -> list[html.HtmlElement]:
        parts = cast(list[html.HtmlElement], selector_of(selector)(self._tree))
        if not parts:
            raise SourceUnreadable(f"Nothing on the page matches the selector {selector!r}.")
        inside = set(parts)
        return [part for part in parts if not any(above in inside for above in part.iterancestors())]

    def _found(self, path: str) -> list[object]:
        return cast(list[object], self._tree.xpath(path))


@lru_cache(maxsize=256)
def selector_of(selector: str) -> CSSSelector:
    """The compiled CSS selector; raises ValueError with the reason."""
    try:
        return CSSSelector(selector, translator="html")
    except (SyntaxError, etree.XPathError) as error:
        raise ValueError(f"This is not a CSS selector: {error}.") from error
