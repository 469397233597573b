"""Which item is which, from one poll to the next.

Dates are no identity: feeds are unsorted and authors edit. The first of these that works is used:

1. the item's own id (GUID);
2. an id that several items of one document share is joined with the item's address, then with its position
   among the items that are still equal;
3. an id that *all* items share says nothing and is ignored;
4. without an id, the address, joined with the title if several items share it; without an address, title and text.

The result is a short name with a hash: `guid:…`, `guid+url:…`, `guid+index:…`, `url:…`, `url+title:…` or `text:…`.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from publishing.feeds.document import ParsedItem


def identified(items: Iterable[ParsedItem]) -> tuple[ParsedItem, ...]:
    """The items with `identity` and `fingerprint` filled in; repetitions within the document are dropped."""
    distinct: dict[tuple[str, str], ParsedItem] = {}
    for item in items:
        printed = replace(item, fingerprint=fingerprint(item))
        distinct.setdefault((printed.guid, printed.fingerprint), printed)
    named: dict[str, ParsedItem] = {}
    for item, identity in zip(distinct.values(), _identities(list(distinct.values())), strict=True):
        named.setdefault(identity, replace(item, identity=identity))
    return tuple(named.values())


def _identities(items: Sequence[ParsedItem]) -> Iterator[str]:
    guids = Counter(item.guid for item in items)
    guids_with_url = Counter((item.guid, item.url) for item in items)
    urls = Counter(item.url for item in items)
    guid_says_nothing = len(items) > 1 and len(guids) == 1
    seen: Counter[tuple[str, str]] = Counter()
    for item in items:
        key = item.guid, item.url
        if not item.guid or guid_says_nothing:
            yield _from_content(item, is_url_shared=urls[item.url] > 1)
        elif guids[item.guid] == 1:
            yield _name("guid", item.guid)
        elif guids_with_url[key] == 1:
            yield _name("guid+url", *key)
        else:
            yield _name("guid+index", *key, str(seen[key]))
            seen[key] += 1


def by_content(item: ParsedItem) -> ParsedItem:
    """The item named by its title and text alone, wherever it came from."""
    printed = replace(item, fingerprint=fingerprint(item))
    return replace(printed, identity=_name("text", item.title, item.best_html))


def fingerprint(item: ParsedItem) -> str:
    """A hash of what a reader sees; the dates are left out, since many feeds change them at every request."""
    media = (part for file in item.enclosures for part in (file.url, file.media_type))
    return _digest([item.title, item.url, item.author, item.summary_html, item.content_html, *media])


def _from_content(item: ParsedItem, *, is_url_shared: bool) -> str:
    if not item.url:
        return _name("text", item.title, item.best_html)
    if is_url_shared:
        return _name("url+title", item.url, item.title)
    return _name("url", item.url)


def _name(kind: str, *parts: str) -> str:
    return f"{kind}:{_digest(parts)}"


def _digest(parts: Iterable[str]) -> str:
    """128 bits are plenty within one source; parts are kept apart, so that moving text between them changes it."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()
