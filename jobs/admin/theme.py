"""What the theme's settings refer to."""

from django.http import HttpRequest
from django.templatetags.static import static


def stylesheet(request: HttpRequest) -> str:
    """The address of our style sheet, hashed in production."""
    return static("jobs/admin.css")


def icon(request: HttpRequest) -> str:
    """The address of the site's icon."""
    return static("jobs/icon.svg")
