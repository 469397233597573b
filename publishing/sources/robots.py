"""What a site asks robots to leave alone (RFC 9309). It is asked before pages are read; feeds are made for readers.

Rules are matched in linear time, whatever stands in the file.
"""

import threading
import time
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from jobs import outbound
from publishing.errors import SourceRejected, SourceUnavailable

NAME = "almanac"
_KEPT_SECONDS = 600.0
_MOST_SITES = 500
_LIMITS = outbound.Limits(read_seconds=10, total_seconds=20, max_bytes=512 * 1024)
_MOST_RULES = 5_000


@dataclass(frozen=True)
class Rule:
    is_allowed: bool
    pattern: str

    def matches(self, path: str) -> bool:
        """Whether the path begins like the pattern, `*` standing for anything and a final `$` for the end."""
        first, *others = self.pattern.removesuffix("$").split("*")
        if not path.startswith(first):
            return False
        position = len(first)
        is_anchored = self.pattern.endswith("$")
        for number, piece in enumerate(others, start=1):
            if is_anchored and number == len(others):
                return path.endswith(piece) and len(path) - len(piece) >= position
            position = path.find(piece, position)
            if position < 0:
                return False
            position += len(piece)
        return not is_anchored or position == len(path)


@dataclass(frozen=True)
class Rules:
    """The rules of one site that are meant for us."""

    rules: tuple[Rule, ...] = field(default=())

    def allow(self, url: str) -> bool:
        """The longest pattern decides; of equally long ones the one that allows; without any everything is allowed."""
        parts = urlsplit(url)
        path = _normal(f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        found = [rule for rule in self.rules if rule.matches(path)]
        best = max(found, key=lambda rule: (len(rule.pattern), rule.is_allowed), default=None)
        return best is None or best.is_allowed


def parse(text: str) -> Rules:
    """The rules for us: of the groups that name us, else of those for everybody."""
    groups: dict[str, list[Rule]] = {}
    names: list[str] = []
    is_naming = False
    for line in text.splitlines()[: 2 * _MOST_RULES]:
        key, colon, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if not colon:
            continue
        if key == "user-agent":
            names = [*names, _agent(value)] if is_naming else [_agent(value)]
            groups.setdefault(names[-1], [])
            is_naming = True
        elif key in {"allow", "disallow"}:
            is_naming = False
            if value:
                for name in names:
                    groups[name].append(Rule(key == "allow", _normal(value)))
    chosen = groups.get(NAME, groups.get("*", []))
    return Rules(tuple(chosen[:_MOST_RULES]))


def _agent(value: str) -> str:
    return value.split("/")[0].strip().lower()


def _normal(path: str) -> str:
    """The path with one spelling for each character."""
    return quote(unquote(path), safe="/?&=+:;,@!'()*$~%")


_known: dict[str, tuple[float, Rules]] = {}
_lock = threading.Lock()


def check(url: str) -> None:
    """Raise SourceRejected for a page that its site asks robots not to read.

    A robots.txt is kept for ten minutes. One that cannot be read because of the server means *not now*
    (SourceUnavailable); one that is not there allows everything.
    """
    parts = urlsplit(url)
    site = f"{parts.scheme}://{parts.netloc}"
    with _lock:
        kept = _known.get(site)
    if kept is None or kept[0] < time.monotonic():
        rules = _fetch(f"{site}/robots.txt")
        with _lock:
            if len(_known) >= _MOST_SITES:
                _known.clear()
            _known[site] = (time.monotonic() + _KEPT_SECONDS, rules)
    else:
        rules = kept[1]
    if not rules.allow(url):
        raise SourceRejected(f"The site's robots.txt asks programs not to read {outbound.redact(url)}.")


def _fetch(url: str) -> Rules:
    try:
        response = outbound.fetch(url, limits=_LIMITS)
    except outbound.OutboundUnavailable as error:
        raise SourceUnavailable(f"The site's robots.txt could not be read: {error}") from error
    except outbound.OutboundRejected as error:
        raise SourceRejected(f"The site's robots.txt could not be read: {error}") from error
    if response.status == 429 or response.status >= 500:
        raise SourceUnavailable(
            f"The site's robots.txt could not be read: status {response.status}.",
            status=response.status,
            retry_after=response.retry_after,
            is_host_busy=response.status in {429, 503},
        )
    return parse(response.body.decode("utf-8", "replace")) if response.status < 300 else Rules()
