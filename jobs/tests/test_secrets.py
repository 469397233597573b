import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from jobs.models import NotificationChannel
from jobs.secrets import Sealed, SecretUnreadable, new_key


def channel(secrets=None, name="Chat"):
    return NotificationChannel.objects.create(
        name=name, kind="slack", secrets=Sealed.of({"url": "https://chat"} if secrets is None else secrets)
    )


def stored(row):
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM jobs_notificationchannel WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def test_a_secret_comes_back_from_the_database_and_is_not_readable_there(db):
    row = channel({"url": "https://hooks/T0/B0/very-secret"})
    assert NotificationChannel.objects.get(pk=row.pk).secrets.open() == {
        "url": "https://hooks/T0/B0/very-secret"
    }
    assert "very-secret" not in stored(row)


def test_the_same_secret_is_never_the_same_ciphertext():
    assert Sealed.of({"a": "b"}) != Sealed.of({"a": "b"})


def test_nothing_shows_a_secret_by_accident():
    sealed = Sealed.of({"key": "very-secret"})
    for text in (repr(sealed), str(sealed), f"{sealed}", f"{[sealed]}"):
        assert text.strip("[]") == "(encrypted)"
    assert str(Sealed.of({})) == "(none)"
    assert Sealed.of({}).open() == {}


def test_what_is_not_sealed_is_not_stored(db):
    with pytest.raises(TypeError, match=r"Sealed\.of"):
        NotificationChannel.objects.create(name="x", kind="slack", secrets="https://plain")  # type: ignore[misc]


def test_another_key_opens_nothing_and_says_what_to_do(settings):
    sealed = Sealed.of({"key": "v"})
    settings.SECRETS_KEYS = [new_key()]
    with pytest.raises(SecretUnreadable, match="bring back the key"):
        sealed.open()


def test_a_damaged_secret_is_unreadable():
    sealed = Sealed.of({"key": "v"})
    with pytest.raises(SecretUnreadable):
        Sealed(sealed.token[:-5] + "AAAA=").open()


def test_without_a_key_nothing_can_be_sealed(settings):
    settings.SECRETS_KEYS = []
    with pytest.raises(ImproperlyConfigured, match="SECRETS_KEYS is empty"):
        Sealed.of({"key": "v"})


def test_the_command_rotates_keys_and_the_old_one_may_go(db, settings, capsys):
    old, new = new_key(), new_key()
    settings.SECRETS_KEYS = [old]
    row = channel()
    empty = channel({}, name="Empty")
    settings.SECRETS_KEYS = [new, old]
    call_command("rotate_secrets")
    settings.SECRETS_KEYS = [new]
    row.refresh_from_db()
    assert row.secrets.open() == {"url": "https://chat"}
    assert stored(empty) == ""
    assert "Sealed anew: 2." in capsys.readouterr().out or NotificationChannel.objects.count() > 2


def test_the_command_names_what_no_key_opens_and_leaves_it_alone(db, settings):
    settings.SECRETS_KEYS = [new_key()]
    row = channel(name="Lost")
    before = stored(row)
    settings.SECRETS_KEYS = [new_key()]
    with pytest.raises(CommandError, match="notification channel Lost") as caught:
        call_command("rotate_secrets")
    assert caught.value.returncode == 3
    assert stored(row) == before
