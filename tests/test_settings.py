"""Settings as a person meets them: by starting a command in some environment."""

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.secrets import new_key

PROJECT = Path(__file__).resolve().parent.parent
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings.prod",
    "SECRET_KEY": secrets.token_urlsafe(64),
    "SECRETS_KEYS": new_key(),
    "ALLOWED_HOSTS": "almanac.example.org",
    "DATABASE_URL": "postgresql://almanac@db.example.org/almanac",
    "BROKER_URL": "redis://broker.example.org",
}


def manage(
    *command: str, environment: dict[str, str], root: Path = PROJECT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=root,
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_production_settings_pass_the_deployment_checks() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", environment=PRODUCTION)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set."),
        ({"SECRET_KEY": "too-short"}, "SECRET_KEY is too weak: it needs at least 50 random characters"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must name the hosts of this site"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS must name the hosts of this site"),
        ({"DEBUG": "1"}, "DEBUG shows the code and the settings to every visitor"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be set."),
        ({"BROKER_URL": ""}, "BROKER_URL must be set."),
        ({"DATABASE_URL": "mysql://host/name"}, "DATABASE_URL must start with postgresql://"),
    ],
)
def test_production_refuses_to_start_with_a_weak_configuration(change: dict[str, str], sentence: str) -> None:
    done = manage("check", environment=PRODUCTION | change)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [("", "SECRETS_KEYS is empty"), ("short", "SECRETS_KEYS has an entry that is no key")],
)
def test_production_without_a_key_for_secrets_fails_its_checks(keys: str, sentence: str) -> None:
    done = manage("check", environment=PRODUCTION | {"SECRETS_KEYS": keys})
    assert done.returncode == 1
    assert "(jobs.E020)" in done.stderr
    assert sentence in done.stderr


def test_command_on_stopped_embedded_servers_says_how_to_start_them(tmp_path: Path) -> None:
    for name in ("accounts", "chat", "config", "jobs", "knowledge", "publishing"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "manage.py", tmp_path)

    done = manage("migrate", environment={}, root=tmp_path)

    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "The embedded database does not run: start it with `make servers` (or everything with `make run`)."
    )


def test_command_names_an_external_database_that_cannot_be_reached() -> None:
    done = manage(
        "migrate",
        environment={
            "DATABASE_URL": "postgresql://user:hidden@127.0.0.1:1/name",
            "BROKER_URL": "redis://127.0.0.1:1",
        },
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("The database that DATABASE_URL names cannot be reached: ")
    assert "refused" in last
    assert "hidden" not in done.stderr
