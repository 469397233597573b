from datetime import timedelta

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts import limits
from accounts.models import SignInCount

pytestmark = pytest.mark.django_db
PASSWORD = " correct horse "
LOGIN, REFRESH, ME = (reverse(f"api:{name}") for name in ("login", "refresh", "me"))


@pytest.fixture
def ada():
    return User.objects.create_user("ada", "Ada@Example.org", PASSWORD)


@pytest.fixture
def client():
    return APIClient()


def sign_in(client, password=PASSWORD, **who):
    return client.post(LOGIN, {**who, "password": password}, format="json")


def bearer(token):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.mark.parametrize(
    "who", [{"username": "ada"}, {"email": "ada@example.org"}, {"username": "ADA@example.ORG"}]
)
def test_a_username_or_an_email_address_and_the_password_give_tokens(client, ada, who):
    response = sign_in(client, **who)
    assert response.status_code == 200
    assert bearer(response.json()["access"]).get(ME).json()["username"] == "ada"


def test_me_tells_who_one_is_and_what_one_may(client, ada):
    ada.user_permissions.add(Permission.objects.get(codename="run_job"))
    told = bearer(sign_in(client, username="ada").json()["access"]).get(ME).json()
    assert told == {
        "id": ada.pk,
        "username": "ada",
        "email": "Ada@example.org",
        "first_name": "",
        "last_name": "",
        "is_staff": False,
        "is_superuser": False,
        "permissions": ["jobs.run_job"],
    }


@pytest.mark.parametrize(
    ("who", "password"),
    [
        ({"username": "ada"}, "wrong"),
        ({"username": "ada"}, PASSWORD.strip()),
        ({"username": "nobody"}, PASSWORD),
        ({"email": "nobody@example.org"}, PASSWORD),
        ({"username": "gone"}, PASSWORD),
    ],
    ids=["wrong password", "blanks count", "unknown name", "unknown address", "inactive"],
)
def test_every_refusal_is_the_same(client, ada, who, password):
    User.objects.create_user("gone", password=PASSWORD, is_active=False)
    response = sign_in(client, password, **who)
    assert response.status_code == 401
    assert response.json() == {
        "code": "not_authenticated",
        "message": "No active account fits these credentials.",
    }


def test_an_unknown_name_costs_as_much_work_as_a_wrong_password(client, monkeypatch):
    User.objects.create_user("slow", password=PASSWORD)
    hasher, hashed = hashers.get_hasher(), []
    monkeypatch.setattr(hashers, "get_hasher", lambda algorithm="default": hasher)
    encode = hasher.encode

    def counted(password, salt, *given):
        hashed.append(password)
        return encode(password, salt, *given)

    monkeypatch.setattr(hasher, "encode", counted)

    def work(name):
        hashed.clear()
        assert sign_in(client, "wrong", username=name).status_code == 401
        return len(hashed)

    assert work("nobody") == work("slow") == 1


def test_an_address_that_two_accounts_share_lets_nobody_in(client, ada):
    User.objects.create_user("eve", "ada@example.org", PASSWORD)
    assert sign_in(client, email="ada@example.org").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"username": "ada"},
        {"password": "x"},
        {"username": "ada", "email": "a@example.org", "password": "x"},
        {"username": ["ada"], "password": "x"},
        {"username": "\x00", "password": "x"},
        {"username": "a" * 300, "password": "x"},
        {"username": "ada", "password": "x" * 1001},
        {"username": None, "password": "x"},
        [],
    ],
)
def test_what_is_no_login_is_400(client, body):
    response = client.post(LOGIN, body, format="json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")


def test_the_sixth_attempt_in_a_minute_is_429_even_with_the_right_password(client, ada):
    for _ in range(limits.NAME_AT_ADDRESS.attempts):
        assert sign_in(client, "wrong", username="ada").status_code == 401
    response = sign_in(client, username="ada")
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert 0 < int(response["Retry-After"]) <= 60
    elsewhere = client.post(
        LOGIN, {"username": "ada", "password": PASSWORD}, format="json", REMOTE_ADDR="192.0.2.7"
    )
    assert elsewhere.status_code == 200


def test_one_address_cannot_try_many_names(client, monkeypatch):
    monkeypatch.setattr(limits, "ADDRESS", limits.Limit(3, 60))
    answers = [sign_in(client, "wrong", username=f"user{number}").status_code for number in range(4)]
    assert answers == [401, 401, 401, 429]


def test_one_name_cannot_be_tried_from_many_addresses(client, monkeypatch):
    monkeypatch.setattr(limits, "NAME", limits.Limit(3, 60))
    answers = [
        client.post(LOGIN, {"username": "ada", "password": "x"}, format="json", REMOTE_ADDR=f"192.0.2.{last}")
        for last in range(4)
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_a_header_cannot_pretend_another_address(client):
    for number in range(limits.NAME_AT_ADDRESS.attempts + 1):
        response = client.post(
            LOGIN,
            {"username": "ada", "password": "x"},
            format="json",
            HTTP_X_FORWARDED_FOR=f"192.0.2.{number}",
        )
    assert response.status_code == 429


def test_getting_in_forgives_earlier_attempts_and_windows_that_are_over(client, ada):
    SignInCount.objects.create(key="old", attempts=1, window_ends_at="2001-01-01T00:00:00Z")
    for _ in range(3):
        for _ in range(limits.NAME_AT_ADDRESS.attempts - 1):
            sign_in(client, "wrong", username="ada")
        assert sign_in(client, username="ada").status_code == 200
    assert not SignInCount.objects.filter(key="old").exists()


def test_programs_that_sign_in_rightly_are_never_too_many(client, ada, monkeypatch):
    monkeypatch.setattr(limits, "NAME", limits.Limit(3, 3600))
    monkeypatch.setattr(limits, "ADDRESS", limits.Limit(3, 60))
    assert {sign_in(client, username="ada").status_code for _ in range(8)} == {200}


def test_a_window_that_is_over_counts_anew(client, ada):
    for _ in range(limits.NAME_AT_ADDRESS.attempts + 1):
        sign_in(client, "wrong", username="ada")
    SignInCount.objects.update(window_ends_at="2001-01-01T00:00:00Z")
    assert sign_in(client, username="ada").status_code == 200


def test_the_admin_login_takes_an_email_address_and_has_the_same_limit(ada):
    from django.test import Client

    User.objects.filter(pk=ada.pk).update(is_staff=True)
    login = {"username": "ada@example.org", "password": PASSWORD}
    address = reverse("admin:login") + "?next=/healthz"
    assert Client().post(address, login).status_code == 302
    for _ in range(limits.NAME_AT_ADDRESS.attempts):
        Client().post(address, {**login, "password": "wrong"})
    page = Client().post(address, login)
    assert page.status_code == 200  # the form again
    assert "Too many attempts to sign in. Try again in" in page.content.decode()


def test_a_refresh_token_gets_a_new_access_token(client, ada):
    tokens = sign_in(client, username="ada").json()
    response = client.post(REFRESH, {"refresh": tokens["refresh"]}, format="json")
    assert response.status_code == 200
    assert bearer(response.json()["access"]).get(ME).status_code == 200


def test_tokens_end_with_the_password_the_account_and_their_time(client, ada):
    tokens = sign_in(client, username="ada").json()
    late = RefreshToken.for_user(ada)
    late.set_exp(lifetime=-timedelta(seconds=1))
    refused = [str(late), tokens["access"], "x", "é", str(AccessToken())]
    for text in refused:
        assert client.post(REFRESH, {"refresh": text}, format="json").status_code == 401
    ada.set_password("another horse")
    ada.save()
    assert client.post(REFRESH, {"refresh": tokens["refresh"]}, format="json").status_code == 401
    assert bearer(tokens["access"]).get(ME).status_code == 401
    fresh = sign_in(client, "another horse", username="ada").json()
    User.objects.update(is_active=False)
    assert client.post(REFRESH, {"refresh": fresh["refresh"]}, format="json").status_code == 401
    User.objects.all().delete()
    assert client.post(REFRESH, {"refresh": fresh["refresh"]}, format="json").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Bearer x y", "Bearer é", "Basic eDp5", "x"])
def test_a_header_that_is_no_token_is_401(client, header):
    response = client.get(ME, HTTP_AUTHORIZATION=header)
    assert (response.status_code, response.json()["code"]) == (401, "not_authenticated")
