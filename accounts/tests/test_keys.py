import time
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.urls import get_resolver, reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import keys
from accounts.errors import InvalidKey, KeyRefused
from accounts.models import ApiKey
from accounts.role_groups import scopes
from jobs.models import AuditEvent, JobRun
from jobs.tests.staff import staff
from tests.jobs_for_tests import tasks

pytestmark = pytest.mark.django_db

RUNS = "/api/v1/runs/"
KEYS = "/api/v1/auth/keys/"
TRIGGER = "/api/v1/jobs/testing.add_numbers/trigger/"


@pytest.fixture
def ada():
    return staff(
        "jobs.view_jobrun", "jobs.run_job", "accounts.add_apikey", "accounts.view_apikey", name="ada"
    )


@pytest.fixture
def manager():
    return User.objects.create_superuser("root")


def key_of(user, *scopes, **options):
    return keys.make(name="Deploys", owner=user, wanted=scopes or ["runs:read"], by=user, **options)


def client_of(secret, **extra):
    client = APIClient(**extra)
    client.credentials(HTTP_AUTHORIZATION=f"Api-Key {secret}")
    return client


def person_client(user):
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_a_key_lets_in_and_only_its_hash_is_stored(ada):
    new = key_of(ada)
    assert client_of(new.secret).get(RUNS).status_code == 200
    stored = ApiKey.objects.get()
    assert new.secret not in str(vars(stored))
    assert new.secret.split("_")[1] == stored.prefix
    assert len(new.secret.split("_", 2)[2]) == 43


def test_a_key_may_do_what_its_scopes_say_and_nothing_else(ada):
    client = client_of(key_of(ada, "runs:read").secret)
    assert client.post(TRIGGER, {"parameters": {"left": 1}}, format="json").status_code == 403
    assert client.get("/api/v1/schedules/").status_code == 403
    client = client_of(key_of(ada, "jobs:run").secret)
    assert client.post(TRIGGER, {"parameters": {"left": 1}}, format="json").status_code == 202
    assert client.get(RUNS).status_code == 403


def test_a_key_never_may_more_than_its_owner_may_now(ada):
    client = client_of(key_of(ada, "runs:read", "jobs:run").secret)
    ada.user_permissions.remove(*ada.user_permissions.filter(codename="view_jobrun"))
    assert client.get(RUNS).status_code == 403
    assert client.get("/api/v1/auth/me/").json()["permissions"] == ["jobs.run_job"]


def test_a_key_of_a_superuser_is_no_superuser(manager):
    group = Group.objects.create(name="Team A")
    hidden = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=hidden.pk).update(owner_group=group)
    client = client_of(key_of(manager, "runs:read").secret)
    me = client.get("/api/v1/auth/me/").json()
    assert (me["is_superuser"], me["is_staff"], me["permissions"]) == (False, False, ["jobs.view_jobrun"])
    assert client.get(RUNS).json()["results"] == []
    assert client.get(f"{RUNS}{hidden.pk}/").status_code == 404
    seeing = client_of(key_of(manager, "runs:read", "groups:all").secret)
    assert seeing.get(f"{RUNS}{hidden.pk}/").status_code == 200
    manager.refresh_from_db()
    assert manager.is_superuser


@pytest.mark.parametrize(
    "secret", ["", "x", "alm_00000000_nothing", "alm__", "alm", "a_b_c_d", "\N{SNOWMAN}", "alm_\x00_x"]
)
def test_what_is_no_key_is_refused(db, secret):
    answer = APIClient().get(RUNS, HTTP_AUTHORIZATION=f"Api-Key {secret}".encode().decode("latin-1"))
    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"


def test_the_secret_of_another_key_does_not_fit_the_prefix(ada):
    one, other = key_of(ada), key_of(ada)
    mixed = f"alm_{one.row.prefix}_{other.secret.split('_', 2)[2]}"
    with pytest.raises(InvalidKey):
        keys.holder(mixed, address="")


def test_an_expired_a_revoked_key_and_that_of_an_inactive_owner_are_refused(ada):
    expired = key_of(ada, expires_at=timezone.now() + timedelta(hours=1))
    ApiKey.objects.filter(pk=expired.row.pk).update(expires_at=timezone.now())
    revoked, plain = key_of(ada), key_of(ada)
    keys.revoke(revoked.row, by=ada)
    assert client_of(expired.secret).get(RUNS).json()["message"] == "The API key is expired."
    assert client_of(revoked.secret).get(RUNS).json()["message"] == "The API key is revoked."
    assert client_of(plain.secret).get(RUNS).status_code == 200
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert client_of(plain.secret).get(RUNS).status_code == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("10.1.2.3", 200),
        ("192.0.2.7", 200),
        ("192.0.2.8", 401),
        ("2001:db8::1", 200),
        ("::ffff:10.1.2.3", 200),
        ("x", 401),
    ],
)
def test_a_key_is_taken_from_its_networks_only(ada, address, status):
    new = key_of(ada, networks=["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"])
    assert client_of(new.secret, REMOTE_ADDR=address).get(RUNS).status_code == status


def test_the_last_use_is_written_once_a_minute(ada, django_assert_num_queries):
    new = key_of(ada)
    client = client_of(new.secret, REMOTE_ADDR="192.0.2.7")
    client.get(RUNS)
    row = ApiKey.objects.get()
    assert (row.last_used_at is not None, row.last_used_from) == (True, "192.0.2.7")
    with django_assert_num_queries(2):  # the key, its owner
        keys.holder(new.secret, address="192.0.2.8")
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    keys.holder(new.secret, address="192.0.2.8")
    assert ApiKey.objects.get().last_used_from == "192.0.2.8"


def test_what_is_done_with_a_key_is_told_with_its_name(ada):
    client = client_of(key_of(ada, "jobs:run").secret, REMOTE_ADDR="192.0.2.7")
    run = client.post(TRIGGER, {"parameters": {"left": 1}}, format="json").json()
    event = AuditEvent.objects.get(subject_id=run["id"])
    assert (event.who, event.api_key.split(" ")[0], event.address) == ("ada", "Deploys", "192.0.2.7")
    # The next request, without a key, does not inherit its name.
    person_client(ada).post(TRIGGER, {"parameters": {"left": 1}}, format="json")
    assert AuditEvent.objects.latest("pk").api_key == ""


def test_each_key_has_a_rate_of_its_own(ada, settings, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1_800_000_030.0)  # requests are counted by whole minutes
    cache.clear()
    settings.API_KEY_RATE = 2
    one, other = client_of(key_of(ada).secret), client_of(key_of(ada).secret)
    assert [one.get(RUNS).status_code for _ in range(3)] == [200, 200, 429]
    assert other.get(RUNS).status_code == 200
    cache.clear()


# Making keys


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"wanted": []}, "scopes"),
        ({"wanted": ["no:such"]}, "scopes"),
        ({"wanted": ["schedules:write"]}, "scopes"),
        ({"name": " "}, "name"),
        ({"networks": ["nowhere"]}, "networks"),
        ({"expires_at": timezone.now() - timedelta(seconds=1)}, "expires_at"),
    ],
)
def test_a_key_that_cannot_be_is_refused_with_the_field(ada, change, field):
    wish = {"name": "x", "owner": ada, "wanted": ["runs:read"], "by": ada}
    with pytest.raises(KeyRefused) as refused:
        keys.make(**{**wish, **change})
    assert list(refused.value.fields) == [field]
    assert not ApiKey.objects.exists()


def test_a_key_for_somebody_else_needs_the_permission_and_no_more_than_both_may(ada, manager):
    robot = staff("jobs.view_jobrun", name="robot")
    with pytest.raises(KeyRefused):
        keys.make(name="x", owner=robot, wanted=["runs:read"], by=ada)
    assert keys.make(name="x", owner=robot, wanted=["runs:read"], by=manager).row.owner == robot
    with pytest.raises(KeyRefused):  # the robot may not
        keys.make(name="x", owner=robot, wanted=["jobs:run"], by=manager)
    overseer = staff("accounts.manage_apikey", name="overseer")
    with pytest.raises(KeyRefused):  # nobody makes themselves a way to more than they may
        keys.make(name="x", owner=manager, wanted=["runs:read"], by=overseer)


def test_a_replaced_key_is_taken_until_the_overlap_is_over(ada):
    old = key_of(ada, "runs:read", networks=["10.0.0.0/8"])
    new = keys.replace(old.row, by=ada, overlap=timedelta(hours=2))
    assert (new.row.scopes, new.row.networks, new.row.name) == (["runs:read"], ["10.0.0.0/8"], "Deploys")
    old.row.refresh_from_db()
    assert old.row.replaced_by == new.row
    assert timedelta(hours=1, minutes=59) < old.row.expires_at - timezone.now() <= timedelta(hours=2)
    assert keys.holder(old.secret, address="10.0.0.1")[0] == ada
    assert keys.holder(new.secret, address="10.0.0.1")[0] == ada
    with pytest.raises(KeyRefused):
        keys.replace(old.row, by=ada)


def test_replacing_never_makes_a_key_live_longer(ada):
    soon = timezone.now() + timedelta(minutes=5)
    old = key_of(ada, expires_at=soon)
    keys.replace(old.row, by=ada, overlap=timedelta(days=1))
    old.row.refresh_from_db()
    assert old.row.expires_at == soon


def test_others_neither_see_nor_end_ones_keys(ada):
    new = key_of(ada)
    bea = staff("accounts.add_apikey", "accounts.view_apikey", name="bea")
    client = person_client(bea)
    assert client.get(KEYS).json()["results"] == []
    assert client.get(f"{KEYS}{new.row.pk}/").status_code == 404
    assert client.post(f"{KEYS}{new.row.pk}/revoke/").status_code == 404
    with pytest.raises(KeyRefused):
        keys.revoke(new.row, by=bea)


def test_the_api_makes_shows_replaces_and_revokes(ada):
    client = person_client(ada)
    made = client.post(KEYS, {"name": "CI", "scopes": ["runs:read"]}, format="json")
    assert made.status_code == 201
    assert client_of(made.json()["key"]).get(RUNS).status_code == 200
    (shown,) = client.get(KEYS).json()["results"]
    assert "key" not in shown
    replaced = client.post(f"{KEYS}{shown['id']}/replace/", {"overlap_seconds": 0}, format="json")
    assert replaced.status_code == 201
    assert client_of(made.json()["key"]).get(RUNS).status_code == 401
    answer = client.post(f"{KEYS}{replaced.json()['about']['id']}/revoke/")
    assert answer.json()["state"] == "revoked"
    assert client_of(replaced.json()["key"]).get(RUNS).status_code == 401
    told = list(AuditEvent.objects.filter(subject_type="accounts.apikey").values_list("action", flat=True))
    assert sorted(told) == ["added", "added", "changed"]


def test_a_key_cannot_make_keys(manager):
    client = client_of(key_of(manager, "runs:read", "jobs:run").secret)
    assert client.post(KEYS, {"name": "x", "scopes": ["runs:read"]}, format="json").status_code == 403


def test_every_permission_of_the_api_is_behind_a_scope():
    """A program must be able to do by key what a person can do by the API, keys themselves left out."""
    behind = frozenset().union(*scopes().values())
    asked = set()
    for pattern in _patterns(get_resolver("config.api").url_patterns):
        view = getattr(pattern.callback, "cls", None)
        for needed in getattr(view, "permission_of", {}).values():
            asked |= {needed} if isinstance(needed, str) else set(needed)
    assert {name for name in asked if not name.startswith("accounts.")} - behind == set()


def _patterns(entries):
    for entry in entries:
        if hasattr(entry, "url_patterns"):
            yield from _patterns(entry.url_patterns)
        else:
            yield entry


def test_scopes_are_listed_with_what_one_may_give(ada):
    found = {
        one["name"]: one["is_available"] for one in person_client(ada).get(reverse("api:scope-list")).json()
    }
    assert found["runs:read"] and found["jobs:run"]
    assert not found["schedules:write"]
