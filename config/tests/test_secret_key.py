"""The secret key of a checkout that was given none."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import secret_key


def test_key_is_random_private_and_stays_the_same(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    key = secret_key.of_checkout(tmp_path)
    assert len(key) > 50
    assert secret_key.of_checkout(tmp_path) == key
    assert secret_key.of_checkout(tmp_path / "other") != key
    path = tmp_path / ".almanac" / "secret_key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_get_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key.of_checkout(tmp_path), range(40)))
    assert len(keys) == 1
    assert [path.name for path in (tmp_path / ".almanac").iterdir()] == ["secret_key"]


def test_key_that_cannot_be_kept_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".almanac").touch()
    with pytest.raises(ImproperlyConfigured, match=r"^Set SECRET_KEY: .* cannot be used \("):
        secret_key.of_checkout(tmp_path)
