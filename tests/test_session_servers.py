"""The servers of a test session, and the private pairs that a test may break."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config import env
from tests.servers import GRACE_SECONDS, PrivateStack, broker_client

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.django_db
def test_session_has_a_database_of_its_own_that_knows_vectors() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    assert connection.settings_dict["NAME"] == ("test_almanac" + (f"_{worker}" if worker else ""))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")
        assert cursor.fetchone() == (1,)


def test_flushing_the_broker_empties_only_this_workers_database(broker_url, flush_broker) -> None:
    neighbour = env.numbered_broker(broker_url, 63)
    with broker_client(broker_url) as mine, broker_client(neighbour) as other:
        other.set("kept", "1")
        mine.set("lost", "1")

        flush_broker()

        assert mine.get("lost") is None
        assert other.get("kept") == b"1"
        other.delete("kept")
    assert broker_url == settings.CELERY_BROKER_URL


def test_another_process_sees_what_is_committed_in_this_workers_database(database_url) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE seen_by_others (id int)")
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            "from django.db import connection as c; print('seen_by_others' in c.introspection.table_names())",
        ],
        env=os.environ | {"DATABASE_URL": database_url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE seen_by_others")
    assert found.stdout.strip() == "True"


def test_private_database_keeps_commits_over_a_restart_and_a_kill() -> None:
    with PrivateStack() as servers:
        with psycopg.connect(servers.database_url, autocommit=True) as database:
            database.execute("CREATE TABLE kept AS SELECT 1 AS number")
        servers.restart_database()
        with psycopg.connect(servers.database_url, autocommit=True) as database:
            database.execute("INSERT INTO kept VALUES (2)")
            servers.kill_database()
            with pytest.raises(psycopg.OperationalError):
                database.execute("SELECT 1")
        servers.start_database()
        with psycopg.connect(servers.database_url) as database:
            assert database.execute("SELECT number FROM kept ORDER BY number").fetchall() == [(1,), (2,)]


def test_private_broker_keeps_messages_over_a_restart_and_a_kill_and_loses_them_when_flushed() -> None:
    with PrivateStack() as servers:
        with broker_client(servers.broker_url) as broker:
            broker.set("message", "1")
        servers.restart_broker()
        servers.kill_broker()
        servers.start_broker()
        with broker_client(servers.broker_url) as broker:
            assert broker.get("message") == b"1"
            servers.flush_broker()
            assert broker.get("message") is None


def test_closing_leaves_no_process_and_no_file() -> None:
    with PrivateStack() as servers:
        folder = servers.folder
        assert _server_processes(folder)
    assert _server_processes(folder) == []
    assert list(folder.parent.glob(f"{folder.name}*")) == []


def test_servers_of_a_killed_session_are_removed_by_the_next() -> None:
    script = "from tests.servers import PrivateStack as P; s = P(); s.start(); print(s.folder, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as session:
        assert session.stdout is not None
        folder = Path(session.stdout.readline().strip())
        session.send_signal(signal.SIGKILL)
    assert _server_processes(folder)
    past = time.time() - 2 * GRACE_SECONDS
    os.utime(folder.with_suffix(".lock"), (past, past))

    with PrivateStack():
        pass

    # Another worker's session may have begun to remove them.
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _server_processes(folder) == []
    assert not folder.exists()


def _server_processes(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() in {"postgres", "valkey-server"} and process.cwd().startswith(str(folder)):
                found.append(process)
        except psutil.Error:
            continue
    return found
