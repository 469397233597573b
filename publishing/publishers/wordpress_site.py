"""The REST API of a WordPress site: where it is, how we sign in, and what its refusals mean."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit
from uuid import uuid4

from pydantic import SecretStr

from jobs.outbound import OutboundResponse, redact
from jobs.outbound.headers import parse_http_date
from publishing.errors import PublishingError
from publishing.publishers.base import PublishLater, PublishRefused
from publishing.publishers.exchange import change, encode, look, object_of, objects_of

_PRETTY, _PLAIN = "/wp-json/", "/?rest_route=/"

HINTS = {
    "incorrect_password": "WordPress does not know this password. It must be an application password of the user (Users → "
    "Profile → Application Passwords), not the one to log in with.",
    "invalid_username": "WordPress does not know this user.",
    "invalid_email": "WordPress does not know this user.",
    "application_passwords_disabled": "Application passwords are switched off there, perhaps by a security plug-in.",
    "rest_forbidden_context": "This user may not edit posts there.",
    "rest_cannot_create": "This user may not make that there: an author may make posts and tags, an editor categories.",
    "rest_cannot_publish": "This user may not publish there: make it an author, or send posts as “pending”.",
    "rest_cannot_edit": "This user may not change this post there.",
    "rest_cannot_edit_others": "Only an editor may write for another author there.",
    "rest_cannot_assign_term": "This user may not give these tags or this category.",
    "rest_invalid_author": "There is no user with this author id there.",
    "rest_user_cannot_delete_post": "This user may not take this post back there.",
    "rest_post_invalid_id": "The post is gone there.",
    "rest_no_route": "The REST API of posts is switched off there, perhaps by a plug-in.",
    "rest_disabled": "The REST API is switched off there, perhaps by a plug-in.",
}
#: It says these to users who may not, and to strangers as well.
_SAID_TO_STRANGERS = {code for code in HINTS if code.startswith("rest_") and code != "rest_disabled"}
_STRANGER = (
    "WordPress took us for a stranger. Either user or application password are wrong, or the web server there does not "
    "hand on the header Authorization (Apache: “CGIPassAuth On”)."
)
_NO_PASSWORDS = (
    "WordPress took us for a stranger: it takes no application passwords here. It takes them over https only, unless "
    "its WP_ENVIRONMENT_TYPE is “local”; a security plug-in may have switched them off."
)


class Access(Protocol):
    """What it takes to get at a site."""

    @property
    def site_url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> SecretStr: ...


class TermExists(PublishRefused):
    """There is such a tag or category already."""

    def __init__(self, message: str, *, status: int, term_id: int) -> None:
        super().__init__(message, status=status)
        self.term_id = term_id


class NoTrash(PublishRefused):
    """The site keeps no trash: what is deleted is gone."""


class _Stranger(PublishRefused):
    """WordPress does not know who asks."""


@dataclass(frozen=True)
class Site:
    """A site's REST API. `now` is what its clock said; None when it said nothing."""

    settings: Access
    root: str
    now: datetime | None = None

    def look(self, path: str, query: Mapping[str, str]) -> OutboundResponse:
        # the last part keeps caches from answering for WordPress
        address = self._address(path, {**query, "_": uuid4().hex})
        return look(address, self._headers(), hidden=self._hidden(), judge=self._judge)

    def listed(self, path: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self.look(path, {"per_page": "100", **query})
        found = objects_of(answer)
        if found is None:
            raise PublishLater(f"{redact(answer.url)} did not answer with a list.", status=answer.status)
        return found

    def change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> OutboundResponse:
        return change(
            method,
            self._address(path, query or {}),
            encode(body) if body is not None else b"",
            {"content-type": "application/json", **self._headers()},
            hidden=self._hidden(),
            judge=self._judge,
        )

    def _address(self, path: str, query: Mapping[str, str]) -> str:
        """Of a path of the API of posts; an empty one is the index of all APIs."""
        sign = "&" if self.root == _PLAIN else "?"
        route = f"wp/v2/{path}" if path else ""
        return f"{self.settings.site_url}{self.root}{route}{sign if query else ''}{urlencode(query)}"

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Basic {self._credentials()}", "accept": "application/json"}

    def _credentials(self) -> str:
        password = self.settings.password.get_secret_value()
        return base64.b64encode(f"{self.settings.username}:{password}".encode()).decode()

    def _hidden(self) -> list[str]:
        password = self.settings.password.get_secret_value()
        return [password, password.replace(" ", ""), self._credentials()]

    def _judge(self, response: OutboundResponse, told: str) -> PublishingError | None:
        """What WordPress means, by its code."""
        said = object_of(response) or {}
        code, status = str(said.get("code")), response.status
        data = said.get("data")
        if code == "term_exists" and isinstance(data, dict) and isinstance(data.get("term_id"), int):
            return TermExists(told, status=status, term_id=data["term_id"])
        if code == "rest_trash_not_supported":
            return NoTrash(told, status=status)
        if status in {408, 425, 429} or status >= 500:
            return None
        if response.redirects or 300 <= status < 400:
            target = urlsplit(urljoin(response.url, response.headers.get("location", "")))
            to = f"{target.scheme}://{target.netloc}"
            return PublishRefused(
                f"The address of the site leads to {to}: use that one. {told}", status=status
            )
        if status == 401 and (code not in HINTS or code in _SAID_TO_STRANGERS):
            return _Stranger(told, status=status)
        return PublishRefused(f"{HINTS.get(code, '')} {told}".strip(), status=status)


def sign_in(settings: Access) -> Site:
    """The site's API, under whichever address it has, signed in; raises PublishLater, PublishRefused."""
    statuses: list[int] = []
    for root in (_PRETTY, _PLAIN):
        site = Site(settings, root)
        try:
            answer = site.look("posts", {"context": "edit", "per_page": "1", "_fields": "id"})
        except _Stranger as error:
            raise _explained(error, site) from error
        if objects_of(answer) is not None:
            return Site(settings, root, parse_http_date(answer.headers.get("date", "")))
        if answer.status == 404 and "code" in (object_of(answer) or {}):
            raise PublishRefused(HINTS["rest_no_route"], status=404)
        statuses.append(answer.status)
    message = f"There is no REST API of WordPress at {settings.site_url}."
    if set(statuses) == {404}:
        raise PublishRefused(message, status=404)
    raise PublishLater(message, status=statuses[-1])


def _explained(error: PublishRefused, site: Site) -> PublishRefused:
    """WordPress often ignores credentials that it does not know. Its index says whether it takes any."""
    try:
        index = object_of(site.look("", {"_fields": "authentication"})) or {}
    except (PublishLater, PublishRefused):
        return PublishRefused(f"{_STRANGER} {error}", status=401)
    takes_them = "application-passwords" in (index.get("authentication") or [])
    return PublishRefused(f"{_STRANGER if takes_them else _NO_PASSWORDS} {error}", status=401)
