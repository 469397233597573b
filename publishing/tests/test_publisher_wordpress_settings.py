"""What a WordPress site is described by, and what of it is refused at once."""

import pytest

from jobs.errors import InvalidParameters
from publishing import publishers
from publishing.tests.wordpress_server import PASSWORD

KIND = publishers.get_kind("wordpress")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://blog.example/", "https://blog.example"),
        ("https://blog.example/news/wp-admin/", "https://blog.example/news"),
        ("https://blog.example/wp-json", "https://blog.example"),
    ],
)
def test_an_address_is_cleared_of_what_people_copy_along(given, kept):
    values = {"site_url": given, "username": "ann", "password": PASSWORD}
    assert KIND.clean(values)["site_url"] == kept
    assert KIND.clean(values)["password"] == PASSWORD


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("site_url", "blog.example"),
        ("site_url", "https://ann:secret@blog.example"),
        ("site_url", "https://blog.example/?page_id=1"),
        ("username", "a:b"),
        ("password", " "),
        ("default_status", "future"),
        ("author_id", 0),
        ("seo_plugin", "other"),
    ],
)
def test_settings_that_cannot_work_are_refused(field, value):
    values = {"site_url": "https://blog.example", "username": "ann", "password": PASSWORD, field: value}
    with pytest.raises(InvalidParameters) as told:
        KIND.clean(values)
    assert list(told.value.fields) == [field]
