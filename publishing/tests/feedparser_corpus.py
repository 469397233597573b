"""feedparser's own test documents, and what each of them says a reader should find.

The source archive is downloaded once into `conformance-data/` at the root of the checkout, and checked by its hash.
Every document carries a Python expression about feedparser's result; `verdict` evaluates it against *our* result.
"""

import ast
import fcntl
import hashlib
import html
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urljoin

from publishing.feeds.document import Enclosure, ParsedFeed, ParsedItem
from publishing.feeds.encoding import decode
from publishing.feeds.parse import read
from publishing.feeds.sanitise import clean_html
from tests.archives import unpack

ROOT = Path(__file__).resolve().parents[2] / "conformance-data"
VERSION = "6.0.14"
SHA256 = "088679b0c4b543ee211a820dd544698c76a402122eae7473c04a43425f283d06"
DOCUMENTS = ROOT / f"feedparser-{VERSION}" / "tests"
#: The address at which feedparser's own tests serve the documents.
SERVED_AT = "http://127.0.0.1:8097/tests/"

_EXPECT = re.compile(r"Expect:\s*(.+?)\s*(?:-->|[\n\x85]|$)")
_HEADER = re.compile(rb"^Header:\s+([^:]+):(.+)$", re.MULTILINE)


class NotDownloadable(Exception):
    """The package index cannot be reached from here."""


def available() -> Path:
    """The folder of documents, downloaded if this is the first use; NotDownloadable without a package index."""
    ROOT.mkdir(exist_ok=True)
    with (ROOT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes, one download
        if not DOCUMENTS.is_dir():
            _download()
    return DOCUMENTS


def _download() -> None:
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "feedparser",
        "--dest", str(ROOT), f"feedparser=={VERSION}",
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=150)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        raise NotDownloadable(f"pip could not download feedparser {VERSION}") from error
    archive = ROOT / f"feedparser-{VERSION}.tar.gz"
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{archive.name} is not the archive that was expected")
    with tempfile.TemporaryDirectory(dir=ROOT) as partial, tarfile.open(archive) as packed:
        unpack(packed, partial)
        (Path(partial) / DOCUMENTS.parent.name).rename(DOCUMENTS.parent)


def documents() -> Iterator[Path]:
    """All feed documents; the compressed ones belong to the HTTP client's tests."""
    for path in sorted(DOCUMENTS.rglob("*")):
        if path.is_file() and path.suffix != ".py" and path.parent.name != "compression":
            yield path


def parsed(path: Path) -> ParsedFeed:
    """The document through our feed path, with the headers it asks to be served with."""
    body = path.read_bytes()
    headers = {key.decode().strip().lower(): value.decode().strip() for key, value in _HEADER.findall(body)}
    served_at = SERVED_AT + path.relative_to(DOCUMENTS).as_posix() if _is_served(path) else ""
    base = urljoin(served_at, headers.get("content-location", ""))
    return read(
        body, content_type=headers.get("content-type", ""), base_url=base if base[:4] == "http" else served_at
    )


def _is_served(path: Path) -> bool:
    """Whether feedparser's own tests read the document from a server, so that it has an address."""
    return path.name.startswith("http_") or path.parent.name == "http"


class OutOfScope(Exception):
    """The expression asks for something that our dataclasses do not carry."""


@dataclass(frozen=True)
class Verdict:
    in_scope: bool
    holds: bool


def expectation(path: Path) -> str | None:
    """The expression of a document, without the part about well-formedness, which we do not report."""
    body = path.read_bytes()
    match = _EXPECT.search(body.decode("utf-8", "replace")) or _EXPECT.search(decode(body).text)
    return None if match is None else re.sub(r"^(?:not )?bozo and ", "", match[1])


def verdict(path: Path, expression: str) -> Verdict:
    """Whether the expression holds for our result; evaluated part by part, so that each in-scope part must hold."""
    feed = parsed(path)
    names = {
        "feed": _FeedView(feed),
        "entries": [_ItemView(item) for item in feed.items],
        "len": len,
        "isinstance": isinstance,
    }
    outcomes = [_holds(part, names) for part in _conjuncts(expression)]
    judged = [outcome for outcome in outcomes if outcome is not None]
    return Verdict(in_scope=bool(judged), holds=all(judged))


def _conjuncts(expression: str) -> list[ast.expr]:
    body = ast.parse(expression, mode="eval").body
    return body.values if isinstance(body, ast.BoolOp) and isinstance(body.op, ast.And) else [body]


def _holds(part: ast.expr, names: dict[str, object]) -> bool | None:
    try:
        return bool(eval(compile(ast.Expression(part), "<expect>", "eval"), {"__builtins__": {}}, names))
    except (OutOfScope, NameError):
        return None
    except (KeyError, IndexError):
        return False


class _Markup:
    """HTML of ours that equals an expected text if both are the same once sanitised."""

    def __init__(self, ours: str, plain: str | None = None) -> None:
        self.ours = ours
        self.plain = plain

    def __eq__(self, expected: object) -> bool:
        if not isinstance(expected, str):
            return False
        return (
            (self.plain is not None and _settled(expected) == _settled(self.plain))
            or _settled(self.ours) == _settled(clean_html(expected))
            or _settled(self.ours) == _settled(html.escape(expected, quote=False))
        )

    def __hash__(self) -> int:
        return hash(self.ours)


def _settled(markup: str) -> str:
    return re.sub(r"(?:\s|&nbsp;)+", " ", markup).strip()


class _View:
    """Access by item or by attribute, as in feedparser's dictionaries."""

    def __getitem__(self, name: str) -> object:
        return self.value(name)

    def __getattr__(self, name: str) -> object:
        return self.value(name)

    def __contains__(self, name: object) -> bool:
        raise OutOfScope(str(name))

    def has_key(self, name: str) -> bool:
        raise OutOfScope(name)

    def value(self, name: str) -> object:
        raise OutOfScope(name)


class _Detail(_View):
    def __init__(self, markup: _Markup) -> None:
        self.markup = markup

    def value(self, name: str) -> object:
        if name == "value":
            return self.markup
        raise OutOfScope(name)


def _tuple(moment: datetime | None) -> tuple[int, ...] | None:
    return None if moment is None else tuple(moment.utctimetuple())


class _ItemView(_View):
    def __init__(self, item: ParsedItem) -> None:
        self.item = item

    def value(self, name: str) -> object:
        item = self.item
        match name:
            case "title":
                return _Markup(item.title_html, item.title)
            case "summary" | "description":
                return _Markup(item.summary_html or item.content_html)
            case "title_detail":
                return _Detail(_Markup(item.title_html, item.title))
            case "summary_detail" | "description_detail":
                return _Detail(_Markup(item.summary_html))
            case "content":
                return [_Detail(_Markup(item.content_html))]
            case "link":
                return item.url
            case "id" | "guid":
                return item.guid
            case "author":
                return item.author
            case "comments":
                return item.comments_url
            case "published_parsed":
                return _tuple(item.published_at)
            case "updated_parsed":
                return _tuple(item.updated_at)
            case "enclosures":
                return [_EnclosureView(file) for file in item.enclosures]
        raise OutOfScope(name)


class _EnclosureView(_View):
    def __init__(self, enclosure: Enclosure) -> None:
        self.enclosure = enclosure

    def __eq__(self, expected: object) -> bool:
        return isinstance(expected, dict) and all(
            self.value(name) == value for name, value in expected.items()
        )

    def __hash__(self) -> int:
        return hash(self.enclosure)

    def value(self, name: str) -> object:
        match name:
            case "url" | "href":
                return self.enclosure.url
            case "type":
                return self.enclosure.media_type
            case "length":
                return str(self.enclosure.length)
        raise OutOfScope(name)


class _FeedView(_View):
    def __init__(self, feed: ParsedFeed) -> None:
        self.feed = feed

    def value(self, name: str) -> object:
        feed = self.feed
        match name:
            case "title":
                return _Markup(feed.title_html, feed.title)
            case "title_detail":
                return _Detail(_Markup(feed.title_html, feed.title))
            case "subtitle" | "tagline" | "description":
                return _Markup(feed.subtitle_html)
            case "subtitle_detail" | "tagline_detail" | "description_detail":
                return _Detail(_Markup(feed.subtitle_html))
            case "link":
                return feed.url
            case "id" | "guid":
                return feed.id
            case "author":
                return feed.author
            case "updated_parsed" | "published_parsed":
                return _tuple(feed.updated_at)
        raise OutOfScope(name)
