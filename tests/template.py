"""The tables are made once for a test session; parallel workers and chaos tests get copies of them.

Only on the session's own servers: on servers that were given, every database is migrated by itself.
"""

import fcntl
import os
import subprocess
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from config.embedded import Places
from config.embedded.account import server_account
from config.embedded.places import DATABASE_NAME

#: The folder of the session's servers. The session sets it, its parallel workers inherit it.
FOLDER = "TEST_SERVERS_FOLDER"


def template() -> str | None:
    """The name of a database that has every table, for `CREATE DATABASE`; None on servers that were given.

    The first of the parallel workers to ask makes the tables, through Django's connection: it must still be the one
    to the session's database, and is closed.
    """
    if FOLDER not in os.environ:
        return None
    made = Path(os.environ[FOLDER], "template")
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            call_command("migrate", verbosity=0)
            connection.close()  # nobody may be in a database that is copied
            made.touch()
    return DATABASE_NAME


def make_tables(url: str) -> None:
    """Give the empty database at `url`, which is Django's at the moment, every table."""
    if FOLDER not in os.environ:
        call_command("migrate", verbosity=0)
        return
    programs = server_account().programs.postgres.parent
    original = Places.in_folder(Path(os.environ[FOLDER])).urls.database_url
    dump = subprocess.run([programs / "pg_dump", "--no-owner", original], check=True, capture_output=True)
    subprocess.run(
        [
            programs / "psql",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            url,
        ],
        input=dump.stdout,
        check=True,
    )
