"""WordPress, by its REST API and an application password.

WordPress knows no idempotency: every POST makes a post, and gives it another slug when the slug is taken. So each post
bears a mark, a comment at the end of its content, by which it is found again whatever became of its slug or status.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from html import escape, unescape
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from jobs.notifications.channels.webhook import web_address
from jobs.outbound import OutboundResponse, redact
from publishing.publishers.base import (
    Outgoing,
    PublisherKind,
    PublishLater,
    PublishRefused,
    PublishUnknown,
    Remote,
    Settings,
)
from publishing.publishers.exchange import address_of, object_of
from publishing.publishers.registry import register
from publishing.publishers.wordpress_site import HINTS, NoTrash, Site, TermExists, sign_in

#: WordPress numbers slugs that are taken. With more of them than this, only its search finds a post.
NUMBERED = 10
#: Among so many we look for one that has no slug.
NEWEST = 10
#: Where plug-ins for search engines keep title, description and canonical address.
SEO_KEYS = {
    "none": (),
    "yoast": ("_yoast_wpseo_title", "_yoast_wpseo_metadesc", "_yoast_wpseo_canonical"),
    "rankmath": ("rank_math_title", "rank_math_description", "rank_math_canonical_url"),
}
#: Posts of other statuses are dated when somebody publishes them there.
DATED = {"publish", "private"}
_EDITED = {"context": "edit", "_fields": "id,link,status,content.raw"}


def _site_url(text: str) -> str:
    """The address of a site, without what people copy along; raises ValueError."""
    parts = urlsplit(web_address(text))
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("Use the address of the site alone, such as https://blog.example.")
    path = parts.path.rstrip("/")
    for end in ("/wp-json", "/wp-admin", "/wp-login.php", "/xmlrpc.php", "/index.php"):
        path = path.removesuffix(end)
    return f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"


def _username(text: str) -> str:
    if not text or ":" in text or not text.isprintable():
        raise ValueError("Use the name of a user, without a colon.")
    return text


def _password(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("It may not be empty.")
    return value


class WordPressSettings(Settings):
    """Settings of a WordPress site."""

    site_url: Annotated[str, AfterValidator(_site_url)] = Field(
        max_length=500,
        title="Address of the site",
        description="Such as https://blog.example; WordPress wants https.",
        json_schema_extra={"format": "uri"},
    )
    username: Annotated[str, AfterValidator(_username)] = Field(max_length=100, title="User")
    password: Annotated[SecretStr, AfterValidator(_password)] = Field(
        max_length=200,
        title="Application password",
        description="Of Users → Profile → Application Passwords; with or without its spaces.",
    )
    default_status: Literal["publish", "draft", "pending", "private"] = Field(
        default="publish", title="Status", description="What a new post is there."
    )
    author_id: int | None = Field(
        default=None, ge=1, title="Author's id", description="If it is not the user; that wants an editor."
    )
    default_category: str = Field(
        default="", max_length=100, title="Category", description="Its name; made if it is missing."
    )
    seo_plugin: Literal["none", "yoast", "rankmath"] = Field(
        default="none",
        title="Plug-in for search engines",
        description="Gets title, description and canonical address, if the site opens its fields to the REST API.",
    )


@register
class WordPress(PublisherKind[WordPressSettings]):
    """Publishes to a WordPress site by its REST API, signed in with an application password of a user there.

    An author may publish; for a category that is missing or for other people's posts it takes an editor. Tags are made
    as needed. Titles and descriptions for Yoast or Rank Math arrive only if the site opens their fields to the REST
    API; the test tells. Taking a post back moves it to the trash.
    """

    name: ClassVar[str] = "wordpress"
    label: ClassVar[str] = "WordPress"
    parameters: ClassVar[type[Settings]] = WordPressSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: WordPressSettings) -> Remote:
        site = sign_in(settings)
        if there := _live(_marked(site, post, settings)):
            return _remote_of(there, 200)
        body = _text_of(post, settings) | {"slug": post.slug, "status": settings.default_status}
        body["tags"] = _term_ids(site, "tags", post.tags)
        if settings.default_category:
            body["categories"] = _term_ids(site, "categories", [settings.default_category])
        if settings.author_id is not None:
            body["author"] = settings.author_id
        if settings.default_status in DATED:
            body["date_gmt"] = _date_of(post, site)
        try:
            answer = site.change("POST", "posts", body)
        except PublishRefused as error:
            return _in_spite_of(error, site, post, settings)
        return _published(answer)

    def find(self, post: Outgoing, settings: WordPressSettings) -> Remote | None:
        marked = _marked(sign_in(settings), post, settings)
        if there := _live(marked):
            return _remote_of(there, 200)
        if marked:
            raise PublishRefused(
                f"It is in the trash there, as post {marked[0]['id']}. Restore it, or delete it for good."
            )
        return None

    def update(self, post: Outgoing, remote: Remote, settings: WordPressSettings) -> Remote:
        site = sign_in(settings)
        there = _ours(site, post, remote, settings)
        if there is None or there.get("status") == "trash":
            raise PublishRefused("The post is gone there, or in the trash.")
        body = _text_of(post, settings)
        if post.tags:
            body["tags"] = _term_ids(site, "tags", post.tags)
        return _published(site.change("POST", f"posts/{there['id']}", body))

    def withdraw(self, post: Outgoing, remote: Remote, settings: WordPressSettings) -> None:
        site = sign_in(settings)
        there = _ours(site, post, remote, settings)
        if there is None or there.get("status") == "trash":
            return
        try:
            site.change("DELETE", f"posts/{there['id']}")
        except NoTrash:
            site.change("DELETE", f"posts/{there['id']}", query={"force": "true"})
        except PublishRefused as error:
            if error.status not in {404, 410}:
                raise

    def test(self, settings: WordPressSettings) -> str:
        site = sign_in(settings)
        me = object_of(site.look("users/me", {"context": "edit", "_fields": "name,roles,capabilities"}))
        if me is None or "capabilities" not in me:
            return f"Signed in as {settings.username}. The site does not say what this user may do."
        may = {name for name, is_given in dict(me["capabilities"]).items() if is_given}
        who = f"{me.get('name')} ({', '.join(me.get('roles') or ['no role'])})"
        if settings.default_status in DATED and "publish_posts" not in may:
            raise PublishRefused(f"Signed in as {who}. {HINTS['rest_cannot_publish']}")
        if settings.author_id is not None and "edit_others_posts" not in may:
            raise PublishRefused(f"Signed in as {who}. {HINTS['rest_cannot_edit_others']}")
        does = "publish posts" if "publish_posts" in may else "write posts, not publish them"
        return f"Signed in as {who}, who may {does}. {_on_seo(site, settings)}".strip()


def _mark(post: Outgoing) -> str:
    return f"<!-- almanac:{post.marker} -->"


def _text_of(post: Outgoing, settings: WordPressSettings) -> dict[str, Any]:
    """Everything that a reader sees. As a block of HTML, which WordPress leaves as it is: nothing is a shortcode."""
    html = post.body_html.replace("[", "&#91;")
    values = (post.meta_title, post.meta_description, post.canonical_url)
    meta = {key: value for key, value in zip(SEO_KEYS[settings.seo_plugin], values, strict=False) if value}
    return {
        "title": escape(post.title, quote=False),
        "content": f"<!-- wp:html -->\n{html}\n{_mark(post)}\n<!-- /wp:html -->",
        "excerpt": escape(post.excerpt, quote=False),
        **({"meta": meta} if meta else {}),
    }


def _date_of(post: Outgoing, site: Site) -> str:
    """Never later than the site's clock: it would wait for the date."""
    date = post.published_at if site.now is None else min(post.published_at, site.now)
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _term_ids(site: Site, taxonomy: str, names: Iterable[str]) -> list[int]:
    """The ids of tags or categories; those that are missing are made."""
    return list(dict.fromkeys(_term_id(site, taxonomy, name.strip()) for name in names))


def _term_id(site: Site, taxonomy: str, name: str) -> int:
    stored = escape(name, quote=False)
    for one in site.listed(taxonomy, {"search": stored, "_fields": "id,name"}):
        if unescape(str(one.get("name"))).casefold() == name.casefold():
            return int(one["id"])
    try:
        made = object_of(site.change("POST", taxonomy, {"name": name})) or {}
    except TermExists as error:
        return error.term_id
    except PublishUnknown as error:
        raise PublishLater(str(error), status=error.status) from error
    if not isinstance(made.get("id"), int):
        raise PublishLater(f"WordPress did not say which number “{name}” has.")
    return int(made["id"])


def _marked(site: Site, post: Outgoing, settings: WordPressSettings) -> list[dict[str, Any]]:
    """The posts there that bear our mark, the oldest first, those in the trash too.

    Asked for in several ways, since plug-ins change how WordPress searches: another post that has the slug is not ours,
    ours may have a numbered one, and who may not publish cannot give one at all.
    """
    slugs = [
        post.slug,
        *(f"{post.slug}-{number}" for number in range(2, NUMBERED + 1)),
        f"{post.slug}__trashed",
    ]
    ways = [{"slug": ",".join(slugs)}, {"search": str(post.marker)}]
    if settings.default_status == "pending":
        ways.append({"orderby": "id", "order": "desc", "per_page": str(NEWEST)})
    found: dict[int, dict[str, Any]] = {}
    for way in ways:
        for one in site.listed("posts", {**_EDITED, **way, "status": "any,trash"}):
            if _bears(one, post) and isinstance(one.get("id"), int):
                found[one["id"]] = one
    return [found[number] for number in sorted(found)]


def _bears(there: Mapping[str, Any], post: Outgoing) -> bool:
    content = there.get("content")
    return isinstance(content, dict) and _mark(post) in str(content.get("raw"))


def _live(posts: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((one for one in posts if one.get("status") != "trash"), None)


def _ours(site: Site, post: Outgoing, remote: Remote, settings: WordPressSettings) -> dict[str, Any] | None:
    """The post as it is there; None when it is gone. Raises PublishRefused when it is not ours any more."""
    if not remote.id.isdecimal():
        marked = _marked(site, post, settings)
        return _live(marked) or (marked[0] if marked else None)
    answer = site.look(f"posts/{remote.id}", _EDITED)
    if answer.status == 404:
        return None
    there = object_of(answer)
    if there is None:
        raise PublishLater(f"{redact(answer.url)} did not answer with a post.", status=answer.status)
    if not _bears(there, post):
        raise PublishRefused(f"Post {remote.id} there is not the one that was sent: our mark is not in it.")
    return there


def _in_spite_of(error: PublishRefused, site: Site, post: Outgoing, settings: WordPressSettings) -> Remote:
    """WordPress makes a post before it minds its fields: it may complain and have it. Raises `error` if it has not."""
    if error.status in {None, 401}:
        raise error
    try:
        there = _live(_marked(site, post, settings))
    except (PublishLater, PublishRefused) as trouble:
        raise PublishUnknown(str(error), status=error.status) from trouble
    if there is None:
        raise error
    return _remote_of(there, error.status)


def _published(answer: OutboundResponse) -> Remote:
    made = object_of(answer)
    if made is None or not isinstance(made.get("id"), int):
        raise PublishUnknown(f"{redact(answer.url)} did not say which post it is.", status=answer.status)
    return _remote_of(made, answer.status)


def _remote_of(there: Mapping[str, Any], status: int | None) -> Remote:
    return Remote(id=str(there["id"]), url=address_of(there.get("link")), status=status)


def _on_seo(site: Site, settings: WordPressSettings) -> str:
    """Whether what the plug-in for search engines wants arrives."""
    keys = SEO_KEYS[settings.seo_plugin]
    if not keys:
        return ""
    try:
        schema = (object_of(site.change("OPTIONS", "posts")) or {}).get("schema") or {}
    except PublishUnknown as error:
        raise PublishLater(str(error), status=error.status) from error
    is_open = set(keys[:2]) <= set(schema.get("properties", {}).get("meta", {}).get("properties", {}))
    if is_open:
        return "It takes title and description for search engines."
    return f"It does not open {keys[0]} and {keys[1]} to the REST API: they are left out."
