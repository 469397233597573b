"""Where things are on the site, and what it is called."""

from urllib.parse import urlsplit

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse


def absolute(path: str) -> str:
    """The address that people outside use for a path of ours."""
    return f"{settings.SITE_URL}{path}"


def front_path() -> str:
    return reverse("site:front")


def post_path(slug: str) -> str:
    return reverse("site:post", args=[slug])


def tag_path(tag: str) -> str:
    return reverse("site:tag", args=[tag])


def feed_path(kind: str, tag: str = "") -> str:
    """Of the whole site's feed of a kind (atom, rss, json), or of one tag's."""
    return reverse(f"site:tag-{kind}", args=[tag]) if tag else reverse(f"site:{kind}")


def icon_url() -> str:
    """Absolute, wherever static files are."""
    url = static("jobs/icon.svg")
    return url if urlsplit(url).netloc else absolute(url)
