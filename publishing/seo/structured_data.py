"""A post as schema.org Article, for search engines: https://schema.org/Article, in JSON-LD."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit

from publishing.seo.words import shortened

HEADLINE_CHARS = 110
DESCRIPTION_CHARS = 200
CONTEXT = "https://schema.org"
_ARTICLES = frozenset({"Article", "BlogPosting", "NewsArticle", "TechArticle", "Report", "ScholarlyArticle"})
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")

#: JSON-LD is data for others, of whatever shape they chose.
JsonLd = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    #: The property it is about, such as "author".
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


@dataclass(frozen=True)
class Author:
    name: str
    kind: Literal["Person", "Organization"] = "Person"
    url: str = ""


def article(
    *,
    headline: str,
    author: Author,
    published_at: datetime,
    modified_at: datetime | None = None,
    description: str,
    word_count: int,
    keywords: Iterable[str] = (),
    url: str,
    language: str,
    image_url: str = "",
    publisher: str = "",
) -> JsonLd:
    """The JSON-LD of a post; headline and description are cut to 110 and 200 characters.

    Without `modified_at` the post was never modified. Raises ValueError for times without a zone.
    """
    data: JsonLd = {
        "@context": CONTEXT,
        "@type": "Article",
        "headline": shortened(headline, HEADLINE_CHARS),
        "author": {"@type": author.kind, "name": author.name} | ({"url": author.url} if author.url else {}),
        "datePublished": _timestamp(published_at),
        "dateModified": _timestamp(modified_at or published_at),
        "description": shortened(description, DESCRIPTION_CHARS),
        "wordCount": word_count,
        "keywords": [name for name in dict.fromkeys(map(str.strip, keywords)) if name],
        "mainEntityOfPage": {"@type": "WebPage", "@id": url},
        "url": url,
        "inLanguage": language,
    }
    if image_url:
        data["image"] = [image_url]
    if publisher:
        data["publisher"] = {"@type": "Organization", "name": publisher}
    return data


def for_script(data: Mapping[str, Any]) -> str:
    """The data as the content of `<script type="application/ld+json">`: nothing in it can end the element."""
    text = json.dumps(data, ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def problems(data: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Everything that is missing or wrong in the JSON-LD of an article; nothing if it is fit to be published."""
    found = [
        Problem(name, message)
        for name, (is_required, check) in _CHECKS.items()
        if (message := _checked(data, name, is_required=is_required, check=check))
    ]
    published, modified = _moment(data.get("datePublished")), _moment(data.get("dateModified"))
    if published and modified and modified < published:
        found.append(Problem("dateModified", "is before datePublished"))
    return tuple(found)


def _timestamp(at: datetime) -> str:
    if at.utcoffset() is None:
        raise ValueError(f"{at!r} has no time zone.")
    return at.isoformat(timespec="seconds")


def _checked(data: Mapping[str, Any], name: str, *, is_required: bool, check: Callable[[Any], str]) -> str:
    """What is wrong with one property; "" if nothing is."""
    if name not in data:
        return "is missing" if is_required else ""
    return check(data[name])


def _context(value: Any) -> str:
    is_schema = isinstance(value, str) and value.rstrip("/") in {CONTEXT, "http://schema.org"}
    return "" if is_schema else f"is not {CONTEXT}"


def _type(value: Any) -> str:
    return "" if isinstance(value, str) and value in _ARTICLES else "is not a kind of Article"


def _headline(value: Any) -> str:
    if message := _filled(value):
        return message
    return "" if len(value) <= HEADLINE_CHARS else f"has more than {HEADLINE_CHARS} characters"


def _filled(value: Any) -> str:
    if not isinstance(value, str):
        return "is not text"
    return "" if value.strip() else "is empty"


def _people(value: Any) -> str:
    people = value if isinstance(value, list) else [value]
    if not people:
        return "is empty"
    return next((message for person in people if (message := _person(person))), "")


def _person(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "is not an object with @type and name"
    if value.get("@type") not in ("Person", "Organization"):
        return "has an @type that is neither Person nor Organization"
    return "has no name" if _filled(value.get("name")) else ""


def _date(value: Any) -> str:
    if not isinstance(value, str):
        return "is not text"
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return "is not a date and time in ISO 8601"
    return "has no time zone" if at.utcoffset() is None else ""


def _moment(value: Any) -> datetime | None:
    """The time of a valid date; None for any other value."""
    return None if _date(value) else datetime.fromisoformat(value)


def _words(value: Any) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return "" if is_number and value > 0 else "is not a whole number above zero"


def _keywords(value: Any) -> str:
    if isinstance(value, str):
        return _filled(value)
    if not isinstance(value, list):
        return "is neither text nor a list of texts"
    return "has an entry that is empty or not text" if any(map(_filled, value)) else ""


def _page(value: Any) -> str:
    return _url(value.get("@id") if isinstance(value, Mapping) else value)


def _images(value: Any) -> str:
    images = value if isinstance(value, list) else [value]
    addresses = [image.get("url") if isinstance(image, Mapping) else image for image in images]
    if not addresses:
        return "is empty"
    return next((message for address in addresses if (message := _url(address))), "")


def _url(value: Any) -> str:
    wrong = "is not an absolute http or https address"
    if not isinstance(value, str):
        return wrong
    try:
        parts = urlsplit(value)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        return wrong
    return "" if is_web and not re.search(r"\s", value) else wrong


def _tag(value: Any) -> str:
    is_tag = isinstance(value, str) and _LANGUAGE.fullmatch(value)
    return "" if is_tag else "is not a language tag such as “en” or “pt-BR”"


#: Every property that is looked at: whether it must be there, and what says what is wrong with it.
_CHECKS: Mapping[str, tuple[bool, Callable[[Any], str]]] = {
    "@context": (True, _context),
    "@type": (True, _type),
    "headline": (True, _headline),
    "author": (True, _people),
    "datePublished": (True, _date),
    "dateModified": (True, _date),
    "description": (True, _filled),
    "wordCount": (True, _words),
    "keywords": (True, _keywords),
    "mainEntityOfPage": (True, _page),
    "inLanguage": (True, _tag),
    "url": (False, _url),
    "image": (False, _images),
    "publisher": (False, _people),
}
