"""Files: a post as a page in a folder of this machine."""

import json
import os
from html import escape
from pathlib import Path
from typing import Annotated, ClassVar
from uuid import uuid4

from django.conf import settings as site
from pydantic import AfterValidator, Field

from publishing.publishers.base import Outgoing, PublisherKind, PublishLater, PublishRefused, Remote, Settings
from publishing.publishers.registry import register


def _relative(text: str) -> str:
    path = Path(text)
    if path.is_absolute() or ".." in path.parts or "\x00" in text:
        raise ValueError("Use a folder below the one for published files, without “..”.")
    return text


class FileSettings(Settings):
    """Settings of a folder."""

    folder: Annotated[str, AfterValidator(_relative)] = Field(
        default="", max_length=200, title="Folder", description="Below the folder PUBLISHED_FILES_DIR."
    )


@register
class FolderOfFiles(PublisherKind[FileSettings]):
    """Writes each post as an HTML file with its data beside it, for other programs to pick up."""

    name: ClassVar[str] = "file"
    label: ClassVar[str] = "Files"
    parameters: ClassVar[type[Settings]] = FileSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: FileSettings) -> Remote:
        folder = _folder(settings)
        path = folder / f"{post.slug}.html"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _claim(path, post)
            _write(path, _page(post))
        except FileExistsError as error:
            raise PublishRefused(f"{path.name} is there already, and is another post.") from error
        except OSError as error:
            raise PublishLater(f"{path} cannot be written: {error.strerror}.") from error
        return Remote(id=path.name)

    def find(self, post: Outgoing, settings: FileSettings) -> Remote | None:
        path = _folder(settings) / f"{post.slug}.html"
        return Remote(id=path.name) if path.exists() and _is_of(path, post) else None

    def update(self, post: Outgoing, remote: Remote, settings: FileSettings) -> Remote:
        path = _path_there(post, remote, settings)
        if not _is_of(path, post):
            raise PublishRefused(f"{path.name} is not there any more, or is another post.")
        try:
            _write(path, _page(post))
            _write(path.with_suffix(".json"), _data(post))
        except OSError as error:
            raise PublishLater(f"{path} cannot be written: {error.strerror}.") from error
        return Remote(id=path.name)

    def withdraw(self, post: Outgoing, remote: Remote, settings: FileSettings) -> None:
        path = _path_there(post, remote, settings)
        if not _is_of(path, post):
            return
        try:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)  # the last: it says whose the page is
        except OSError as error:
            raise PublishLater(f"{path} cannot be removed: {error.strerror}.") from error

    def test(self, settings: FileSettings) -> str:
        folder = _folder(settings)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".almanac-{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise PublishRefused(f"{folder} cannot be written: {error.strerror}.") from error
        return f"{folder} can be written."


def _folder(settings: FileSettings) -> Path:
    """Raises PublishRefused where files are not published."""
    if not site.PUBLISHED_FILES_DIR:
        raise PublishRefused("Files are not published here: PUBLISHED_FILES_DIR is not set.")
    return Path(site.PUBLISHED_FILES_DIR) / settings.folder


def _path_there(post: Outgoing, remote: Remote, settings: FileSettings) -> Path:
    """Where the page is; raises PublishRefused for a name that is none."""
    name = remote.id or f"{post.slug}.html"
    if Path(name).name != name or not name.endswith(".html"):
        raise PublishRefused(f"{name} is not the name of a page.")
    return _folder(settings) / name


def _is_of(path: Path, post: Outgoing) -> bool:
    """Whether the data beside the page name the post. Raises PublishLater when they cannot be read."""
    try:
        found = json.loads(path.with_suffix(".json").read_text())["marker"]
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishLater(f"{path} cannot be read: {error}.") from error
    return bool(found == str(post.marker))


def _claim(path: Path, post: Outgoing) -> None:
    """The file with the data names the post; whoever makes it first has the name. Raises FileExistsError."""
    data = path.with_suffix(".json")
    draft = data.with_suffix(f".{uuid4().hex}")
    draft.write_text(_data(post))
    try:
        os.link(draft, data)
    except FileExistsError:
        if json.loads(data.read_text()).get("marker") != str(post.marker):
            raise
    finally:
        draft.unlink()


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


def _data(post: Outgoing) -> str:
    return json.dumps(
        {"marker": str(post.marker), "title": post.title, "tags": post.tags, "language": post.language}
    )


def _page(post: Outgoing) -> str:
    head = f'<meta charset="utf-8"><title>{escape(post.meta_title or post.title)}</title>'
    if post.meta_description:
        head += f'<meta name="description" content="{escape(post.meta_description)}">'
    return (
        f'<!doctype html><html lang="{escape(post.language)}"><head>{head}</head>'
        f"<body><article><h1>{escape(post.title)}</h1>{post.body_html}</article></body></html>\n"
    )
