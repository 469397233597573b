"""GitHub: a post as a Markdown file with front matter in a repository, https://docs.github.com/rest/repos/contents."""

import base64
import binascii
import re
import time
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import yaml
from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from jobs.notifications.channels.webhook import header_value, web_address
from jobs.outbound import OutboundResponse
from publishing.errors import PublishingError
from publishing.publishers.base import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
)
from publishing.publishers.exchange import address_of, change, encode, look, object_of
from publishing.publishers.markdown import markdown_of
from publishing.publishers.registry import register

#: Names the post in the front matter.
_MARKER = "almanac_marker"
#: What GitHub asks for where it names no time, in seconds.
_MINUTE = 60.0
_PLACEHOLDERS = {"date", "year", "month", "day", "slug"}
_REPOSITORY = re.compile(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}")
_FRONT_MATTER = re.compile(r"---\r?\n(.*?)\r?\n---(?:\r?\n|$)", re.DOTALL)


def _template(text: str) -> str:
    known = ", ".join(f"{{{name}}}" for name in sorted(_PLACEHOLDERS))
    problem = f"It needs {{slug}}, and knows {known} only."
    try:
        fields = [field[1:] for field in Formatter().parse(text) if field[1] is not None]
    except ValueError as error:
        raise ValueError(problem) from error
    names = {name for name, _, _ in fields}
    if "slug" not in names or names - _PLACEHOLDERS or any(form or change for _, form, change in fields):
        raise ValueError(problem)
    return text


def _path_template(text: str) -> str:
    if any(part in {"", ".", ".."} for part in text.split("/")) or not text.isprintable() or "\\" in text:
        raise ValueError("Use a path inside the repository, such as _posts/{date}-{slug}.md.")
    return _template(text)


def _repository(text: str) -> str:
    if not _REPOSITORY.fullmatch(text) or text.endswith(("/.", "/..")):
        raise ValueError("Write it as owner/name.")
    return text


class GitHubSettings(Settings):
    """Settings of a repository."""

    repository: Annotated[str, AfterValidator(_repository)] = Field(
        max_length=140, title="Repository", description="As owner/name."
    )
    token: Annotated[SecretStr, AfterValidator(header_value)] = Field(
        title="Access token",
        min_length=1,
        max_length=500,
        description="A fine-grained one for this repository alone, which may read and write its contents.",
    )
    branch: str = Field(
        default="", max_length=250, title="Branch", description="Empty: the repository's default branch."
    )
    path: Annotated[str, AfterValidator(_path_template)] = Field(
        default="_posts/{date}-{slug}.md",
        max_length=300,
        title="Path",
        description="With {slug}, and {date} or {year}, {month} and {day} of the publication in UTC.",
    )
    page_url: Annotated[str, AfterValidator(web_address), AfterValidator(_template)] | None = Field(
        default=None,
        max_length=500,
        title="Address of the page",
        description="Where the site shows it, with the same placeholders. Empty: we link the file.",
    )
    committer_name: str = Field(
        default="", max_length=100, title="Committer", description="Empty: the token's owner."
    )
    committer_email: str = Field(
        default="", max_length=200, title="Committer's e-mail address", validate_default=True
    )
    api_url: Annotated[str, AfterValidator(web_address)] = Field(
        default="https://api.github.com",
        max_length=300,
        title="Address of the API",
        description="Of GitHub Enterprise: https://…/api/v3",
        json_schema_extra={"format": "uri"},
    )

    @field_validator("committer_email")
    @classmethod
    def _goes_with_the_name(cls, value: str, info: ValidationInfo) -> str:
        if bool(value) != bool(info.data.get("committer_name")):
            raise ValueError("A committer needs a name and an e-mail address.")
        return value


@register
class GitHub(PublisherKind[GitHubSettings]):
    """Commits a post as a Markdown file with YAML front matter to a repository, for Jekyll, Hugo and the like.

    A file that is there already is never written over unless it is this post's: the front matter names it.
    """

    name: ClassVar[str] = "github"
    label: ClassVar[str] = "GitHub"
    parameters: ClassVar[type[Settings]] = GitHubSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: GitHubSettings) -> Remote:
        path = _filled(settings.path, post)
        try:
            answer = _put(settings, path, f"Publish “{post.title}”", _file_of(post), sha=None)
        except PublishRefused as error:
            if error.status != 422 or (there := _there(settings, path)) is None:
                raise
            if there.marker == str(post.marker):
                return _remote(settings, post, there.path, there.url, 200)
            raise PublishRefused(f"{path} is there already, and is not this post.", status=422) from error
        return _committed(settings, post, path, answer)

    def find(self, post: Outgoing, settings: GitHubSettings) -> Remote | None:
        there = _there(settings, _filled(settings.path, post))
        if there is None:
            _repository_of(settings)  # a repository that we may not see has no files for us either
            return None
        return (
            _remote(settings, post, there.path, there.url, 200) if there.marker == str(post.marker) else None
        )

    def update(self, post: Outgoing, remote: Remote, settings: GitHubSettings) -> Remote:
        path = remote.id or _filled(settings.path, post)
        there = _there(settings, path)
        if there is None or there.marker != str(post.marker):
            raise PublishRefused(f"{path} is not there any more, or is not this post.")
        text = _file_of(post)
        if there.text == text:
            return _remote(settings, post, path, there.url, 200)
        answer = _put(settings, path, f"Update “{post.title}”", text, sha=there.sha)
        return _committed(settings, post, path, answer)

    def withdraw(self, post: Outgoing, remote: Remote, settings: GitHubSettings) -> None:
        path = remote.id or _filled(settings.path, post)
        there = _there(settings, path)
        if there is None:
            _repository_of(settings)
            return
        if there.marker != str(post.marker):
            raise PublishRefused(f"{path} is not this post.")
        body = _commit(settings, f"Remove “{post.title}”") | {"sha": there.sha}
        _change(settings, "DELETE", _contents(settings, path), body)

    def test(self, settings: GitHubSettings) -> str:
        found = _repository_of(settings)
        if found.get("archived"):
            raise PublishRefused(f"{settings.repository} is archived: nothing can be committed.")
        permissions = found.get("permissions")
        if isinstance(permissions, dict) and not permissions.get("push"):
            raise PublishRefused(f"The access token may read {settings.repository}, but not write to it.")
        branch = settings.branch or str(found.get("default_branch", ""))
        if _look(settings, f"/repos/{settings.repository}/branches/{quote(branch, safe='')}").status == 404:
            raise PublishRefused(f"{settings.repository} has no branch {branch}.")
        return f"Posts are committed to {settings.repository}, branch {branch}."


@dataclass(frozen=True)
class There:
    """A file in the repository."""

    path: str
    sha: str
    url: str
    text: str

    @property
    def marker(self) -> str:
        """The post that its front matter names; empty when it names none."""
        head = _FRONT_MATTER.match(self.text)
        try:
            found = yaml.safe_load(head[1]) if head is not None else None
        except (yaml.YAMLError, ValueError, RecursionError):
            return ""
        return str(found.get(_MARKER, "")) if isinstance(found, dict) else ""


def _file_of(post: Outgoing) -> str:
    front: dict[str, Any] = {
        "title": post.title,
        "date": post.published_at.replace(microsecond=0),
        "slug": post.slug,
        "description": post.meta_description or post.excerpt,
        "tags": list(post.tags),
        "lang": post.language,
        "canonical_url": post.canonical_url,
        # Jekyll looks for Liquid in code, too.
        "render_with_liquid": False,
        _MARKER: str(post.marker),
    }
    kept = {name: value for name, value in front.items() if value not in ("", [])}
    head = yaml.safe_dump(kept, allow_unicode=True, sort_keys=False, width=1000)
    return f"---\n{head}---\n\n{markdown_of(post.body_html)}\n"


def _filled(template: str, post: Outgoing) -> str:
    day = post.published_at
    return template.format(
        date=f"{day:%Y-%m-%d}", year=f"{day:%Y}", month=f"{day:%m}", day=f"{day:%d}", slug=post.slug
    )


def _there(settings: GitHubSettings, path: str) -> There | None:
    """The file at the path; None when there is none, or none that we may see. Raises PublishLater, PublishRefused."""
    query = f"?ref={quote(settings.branch, safe='')}" if settings.branch else ""
    answer = _look(settings, _contents(settings, path) + query)
    if answer.status == 404:
        return None
    found = object_of(answer)
    if found is None or not isinstance(found.get("sha"), str):
        raise PublishLater(f"{settings.api_url} did not answer with a file.", status=answer.status)
    try:
        text = base64.b64decode(str(found.get("content", ""))).decode(errors="replace")
    except (binascii.Error, ValueError):
        text = ""
    return There(path=path, sha=found["sha"], url=address_of(found.get("html_url")), text=text)


def _repository_of(settings: GitHubSettings) -> dict[str, Any]:
    answer = _look(settings, f"/repos/{settings.repository}")
    if answer.status == 404:
        raise PublishRefused(_NO_ACCESS.format(settings.repository), status=404)
    found = object_of(answer)
    if found is None or "full_name" not in found:
        raise PublishRefused(f"{settings.api_url} did not answer with a repository: is it GitHub's API?")
    return found


_NO_ACCESS = "There is no repository {0}, or the access token does not see it."


def _put(
    settings: GitHubSettings, path: str, message: str, text: str, *, sha: str | None
) -> OutboundResponse:
    body = _commit(settings, message) | {"content": base64.b64encode(text.encode()).decode()}
    return _change(settings, "PUT", _contents(settings, path), body | ({"sha": sha} if sha else {}))


def _commit(settings: GitHubSettings, message: str) -> dict[str, Any]:
    body: dict[str, Any] = {"message": message}
    if settings.branch:
        body["branch"] = settings.branch
    if settings.committer_name:
        body["committer"] = {"name": settings.committer_name, "email": settings.committer_email}
    return body


def _committed(settings: GitHubSettings, post: Outgoing, path: str, answer: OutboundResponse) -> Remote:
    found = object_of(answer)
    content = found.get("content") if found is not None else None
    if not isinstance(content, dict) or content.get("path") != path:
        raise PublishUnknown("The answer names no commit of the file.", status=answer.status)
    return _remote(settings, post, path, address_of(content.get("html_url")), answer.status)


def _remote(settings: GitHubSettings, post: Outgoing, path: str, url: str, status: int) -> Remote:
    """The path is the id: it stays, whatever becomes of title and date."""
    return Remote(id=path, url=_filled(settings.page_url, post) if settings.page_url else url, status=status)


def _contents(settings: GitHubSettings, path: str) -> str:
    return f"/repos/{settings.repository}/contents/{quote(path)}"


def _change(settings: GitHubSettings, method: str, path: str, body: dict[str, Any]) -> OutboundResponse:
    return change(
        method,
        settings.api_url.rstrip("/") + path,
        encode(body),
        _headers(settings) | {"content-type": "application/json"},
        hidden=[settings.token.get_secret_value()],
        judge=_judge,
    )


def _look(settings: GitHubSettings, path: str) -> OutboundResponse:
    hidden = [settings.token.get_secret_value()]
    return look(settings.api_url.rstrip("/") + path, _headers(settings), hidden=hidden, judge=_judge)


def _headers(settings: GitHubSettings) -> dict[str, str]:
    return {
        "authorization": f"Bearer {settings.token.get_secret_value()}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }


def _judge(answer: OutboundResponse, message: str) -> PublishingError | None:
    """GitHub's own meanings: 403 may be a rate limit, 404 is no access, 409 a commit that came in between."""
    if answer.status in {403, 429} and (wait := _wait_of(answer)) is not None:
        return PublishLater(message, status=answer.status, retry_after=wait)
    if answer.status == 404:
        return PublishRefused(f"{message} No such repository or branch, or no access.", status=404)
    if answer.status == 409:
        return PublishLater(message, status=409)
    return None


def _wait_of(answer: OutboundResponse) -> float | None:
    """Seconds until requests are let in again; None when it is no matter of rate."""
    if answer.retry_after is not None:
        return answer.retry_after
    if answer.headers.get("x-ratelimit-remaining") != "0":
        return _MINUTE if b"rate limit" in answer.body.lower() else None
    reset = answer.headers.get("x-ratelimit-reset", "")
    return max(float(reset) - time.time(), 0.0) if reset.isdecimal() else _MINUTE
