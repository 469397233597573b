"""Typed reading of the environment."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from config import env


def test_file_gives_the_value_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
    assert env.text("THING") == "from a file"


def test_file_and_value_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("THING", "value")
    with pytest.raises(ImproperlyConfigured, match="Set THING or THING_FILE, not both"):
        env.text("THING")


def test_unreadable_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_FILE", str(tmp_path / "absent"))
    with pytest.raises(ImproperlyConfigured, match=r"THING_FILE: cannot read .*absent: No such file"):
        env.text("THING")


@pytest.mark.parametrize(
    ("given", "meant"),
    [("1", True), ("Yes", True), ("on", True), ("0", False), ("False", False), ("", False)],
)
def test_flag_reads_yes_and_no(given: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", given)
    assert env.flag("THING", default=not meant) is meant


@pytest.mark.parametrize(
    ("read", "value", "sentence"),
    [
        (lambda: env.flag("THING"), "perhaps", "THING must be one of .*; it is 'perhaps'"),
        (lambda: env.integer("THING", 1), "1.5", "THING must be a whole number; it is '1.5'"),
        (lambda: env.integer("THING", 1), "-1", "THING must be a whole number; it is '-1'"),
        (lambda: env.seconds("THING", 1), "soon", "THING must be a number of seconds; it is 'soon'"),
        (lambda: env.seconds("THING", 1), "0", "THING must be more than 0 seconds, .* it is '0'"),
        (
            lambda: env.seconds("THING", 1),
            "nan",
            "THING must be more than 0 seconds, and finite; it is 'nan'",
        ),
        (
            lambda: env.seconds("THING", 1),
            "inf",
            "THING must be more than 0 seconds, and finite; it is 'inf'",
        ),
        (lambda: env.required("THING"), "", "THING must be set"),
        (lambda: env.secret("THING"), "short", "THING is too weak"),
        (lambda: env.secret("THING"), "ab" * 40, "THING is too weak"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(
    read: Callable[[], object], value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THING", value)
    with pytest.raises(ImproperlyConfigured, match=sentence):
        read()


def test_words_drop_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING", " a, b ,,c ")
    assert env.words("THING") == ["a", "b", "c"]


def test_database_url_over_the_network_gives_every_part() -> None:
    found = env.database("postgresql://us%40er:p%2Fw%3A@db.example.org:5433/name?sslmode=require")
    assert found == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "name",
        "USER": "us@er",
        "PASSWORD": "p/w:",
        "HOST": "db.example.org",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user@/name?host=%2Frun%2Fpost%20gres",
        "postgresql:///name?host=/run/post%20gres&user=user",
        "postgresql://user@%2Frun%2Fpost%20gres/name",
    ],
)
def test_database_url_over_a_socket_means_what_libpq_means_by_it(url: str) -> None:
    found = env.database(url)
    assert (found["HOST"], found["USER"], found["NAME"]) == ("/run/post gres", "user", "name")
    meant = psycopg.conninfo.conninfo_to_dict(url)
    assert (meant["host"], meant["user"], meant["dbname"]) == ("/run/post gres", "user", "name")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1))
def test_any_percent_encoded_password_is_read_back(password: str) -> None:
    assert env.database(f"postgresql://user:{quote(password, safe='')}@host/name")["PASSWORD"] == password


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://host/name", "must start with postgresql://; it starts with 'mysql'"),
        ("sqlite:///file", "must start with postgresql://; it starts with 'sqlite'"),
        ("postgresql://host", "must name a database"),
        ("postgresql://host:port/name", "is not a valid URL"),
        ("postgresql://user:a#b@host/name", "is not a valid URL|must name a database"),
    ],
)
def test_bad_database_url_is_refused_without_showing_its_password(url: str, sentence: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence) as refused:
        env.database(url)
    assert "a#b" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "numbered"),
    [
        ("redis://host:6379/0", "redis://host:6379/7"),
        ("redis://:secret@host", "redis://:secret@host/7"),
        ("redis+socket:///run/valkey.sock?virtual_host=0", "redis+socket:///run/valkey.sock?virtual_host=7"),
        ("redis+socket:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=7"),
    ],
)
def test_broker_url_takes_another_database_number(url: str, numbered: str) -> None:
    assert env.numbered_broker(url, 7) == numbered


def test_host_and_port_of_an_address_have_the_port_spelt_out(monkeypatch):
    monkeypatch.setenv("SAMPLE_WORLD_URL", "http://127.0.0.1:8000/anything")
    assert env.host_and_port("SAMPLE_WORLD_URL") == "127.0.0.1:8000"
    monkeypatch.setenv("SAMPLE_WORLD_URL", "https://[::1]")
    assert env.host_and_port("SAMPLE_WORLD_URL") == "[::1]:443"


def test_a_table_of_prices_is_read_by_entry_or_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICES", "big=2.5/10/1.25, org/mini:free = 0/0\nbig-*=1/2,\n")
    assert env.prices("PRICES") == {
        "big": (Decimal("2.5"), Decimal(10), Decimal("1.25")),
        "org/mini:free": (Decimal(0), Decimal(0)),
        "big-*": (Decimal(1), Decimal(2)),
    }
    monkeypatch.delenv("PRICES")
    assert env.prices("PRICES") == {}


@pytest.mark.parametrize(
    "wrong", ["big", "big=1", "=1/2", "big=1/2/3/4", "big=a/b", "big=-1/2", "big=NaN/2", "big=1/inf"]
)
def test_a_price_that_cannot_be_read_stops_the_start(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("PRICES", wrong)
    with pytest.raises(ImproperlyConfigured, match=r"PRICES: .* must be like model=0\.25/2"):
        env.prices("PRICES")
