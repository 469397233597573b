"""The pages of API keys."""

import pytest
from django.contrib.auth.models import User

from accounts import keys
from accounts.models import ApiKey
from jobs.tests.staff import signed_in

pytestmark = pytest.mark.django_db
PAGES = "/admin/accounts/apikey/"


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root")


def test_a_key_is_shown_when_it_is_made_and_never_again(root):
    client = signed_in(root)
    form = {"name": "CI", "scopes": ["runs:read"], "lifetime": "90", "networks": "10.0.0.0/8\n2001:db8::/32"}
    page = client.post(f"{PAGES}add/", form)
    row = ApiKey.objects.get()
    start = f"alm_{row.prefix}_"
    secret = page.content.decode().partition(start)[2][:43]
    assert keys.holder(start + secret, address="10.0.0.1")[1] == row
    assert "no-store" in page["Cache-Control"]
    assert secret not in client.get(f"{PAGES}{row.pk}/change/").content.decode()


@pytest.mark.parametrize("network", ["nowhere", "fe80::1%eth0", f"fe80::1%{'a' * 60}"])
def test_what_is_no_network_is_refused_in_the_form(root, network):
    form = {"name": "CI", "scopes": ["runs:read"], "lifetime": "90", "networks": network}
    page = signed_in(root).post(f"{PAGES}add/", form)
    assert "is no address and no network" in page.content.decode()
    assert not ApiKey.objects.exists()


def test_an_overlap_that_is_not_offered_replaces_nothing(root):
    key = keys.make(name="CI", owner=root, wanted=["runs:read"], by=root)
    page = signed_in(root).post(f"{PAGES}{key.row.pk}/replace/", {"overlap": "soon"}, follow=True)
    assert "soon is not one of the available choices" in page.content.decode()
    assert keys.holder(key.secret, address="")[1].replaced_by is None
