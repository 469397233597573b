"""The built-in site: the blog that this installation serves itself."""

from typing import ClassVar

from django.conf import settings as installation

from publishing.publishers.base import Outgoing, PublisherKind, PublishRefused, Remote, Settings
from publishing.publishers.registry import register
from publishing.site import addresses


class SiteSettings(Settings):
    """Nothing to be told: its name and address are this installation's (SITE_NAME, SITE_DESCRIPTION, SITE_URL)."""


@register
class BuiltInSite(PublisherKind[SiteSettings]):
    """Shows each post on this installation's own blog, at /blog/.

    Nothing is copied there: the blog reads what is published, so a post is on it from the moment it is published until
    it is withdrawn, once, with the text it has. Sending, finding and changing give its address and cannot fail halfway.
    """

    name: ClassVar[str] = "site"
    label: ClassVar[str] = "Built-in blog"
    parameters: ClassVar[type[Settings]] = SiteSettings
    can_update: ClassVar[bool] = True
    can_withdraw: ClassVar[bool] = True

    def send(self, post: Outgoing, settings: SiteSettings) -> Remote:
        return _place(post.slug)

    def find(self, post: Outgoing, settings: SiteSettings) -> Remote | None:
        """Where it is: there was nothing to send that could have got lost."""
        return _place(post.slug)

    def update(self, post: Outgoing, remote: Remote, settings: SiteSettings) -> Remote:
        return _place(post.slug)

    def withdraw(self, post: Outgoing, remote: Remote, settings: SiteSettings) -> None:
        """Nothing to do: what is no longer published is no longer shown."""

    def test(self, settings: SiteSettings) -> str:
        return f"Posts appear at {_origin()}{addresses.front_path()}."


def _place(slug: str) -> Remote:
    return Remote(id=slug, url=f"{_origin()}{addresses.post_path(slug)}")


def _origin() -> str:
    """Raises PublishRefused when nobody has said where people reach this installation."""
    if not installation.SITE_URL:
        raise PublishRefused("The blog has no address: SITE_URL is not set.")
    return str(installation.SITE_URL)
