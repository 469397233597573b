"""The embedded PostgreSQL, with pgvector."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from config.embedded.account import Account, Programs
from config.embedded.errors import EmbeddedError
from config.embedded.places import DATABASE_NAME, DATABASE_USER
from config.embedded.server import ENVIRONMENT, Server

MAJOR_VERSION = "18"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "512MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}
#: Nothing survives a crash of the machine, all survives a crash of the server: a commit is still written at once. Data is
#: small and lives for minutes: nobody cleans up.
QUICK_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}


class Database(Server):
    title = "PostgreSQL"
    program_name = "postgres"
    endings = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    @property
    def folder(self) -> Path:
        return self.places.home / "database"

    @property
    def socket(self) -> Path:
        return self.places.database_socket

    def command(self, programs: Programs) -> list[str]:
        settings = SETTINGS | {"unix_socket_directories": str(self.places.sockets)}
        if not self.durable:
            settings |= QUICK_SETTINGS
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(programs.postgres), "-D", str(self.folder), *options]

    def problem(self) -> str | None:
        try:
            with self.connect("postgres") as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            return str(error).strip().splitlines()[-1]
        return None

    def connect(self, name: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection that commits each statement."""
        return psycopg.connect(
            host=str(self.places.sockets), dbname=name, user=DATABASE_USER, connect_timeout=2, autocommit=True
        )

    def start(self, account: Account) -> None:
        super().start(account)
        with self.connect("postgres") as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))
        with self.connect(DATABASE_NAME) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    def prepare(self, account: Account) -> None:
        if not self.folder.exists():
            self._initialise(account)
        super().prepare(account)
        try:
            found = (self.folder / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedError(f"{self.folder} is not a PostgreSQL data folder; move it away.") from error
        if found != MAJOR_VERSION:
            raise EmbeddedError(
                f"{self.folder} was made by PostgreSQL {found}, and this one is {MAJOR_VERSION}: dump it with the "
                "old version, move the folder away and load the dump."
            )
        # No process of ours is alive, so these are stale; PostgreSQL would refuse to start if the process number in
        # them has been given to another process since.
        for stale in (
            self.folder / "postmaster.pid",
            self.socket,
            self.socket.with_name(f"{self.socket.name}.lock"),
        ):
            stale.unlink(missing_ok=True)

    def _initialise(self, account: Account) -> None:
        """Make an empty cluster beside its final place, so that an interrupted one is never used."""
        partial = self.folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        make_partial = [
            str(account.programs.initdb),
            *("-D", str(partial)),
            *("-U", DATABASE_USER),
            *("-A", "trust"),  # only the owner of the socket folder reaches the socket
            *("--encoding", "UTF8"),
            *("--locale", "C"),
            *("--locale-provider", "builtin"),
            *("--builtin-locale", "C.UTF-8"),  # the same order of text on every machine
            "--no-instructions",
        ]
        if not self.durable:
            make_partial.append("--no-sync")
        made = subprocess.run(  # noqa: S603 - our own program and arguments
            make_partial,
            cwd=self.places.home,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            umask=0o077,
            **account.credentials,
        )
        if made.returncode != 0:
            reason = made.stderr.strip().splitlines() or ["no reason given"]
            raise EmbeddedError(f"PostgreSQL cannot make its data folder {self.folder}: {reason[0]}")
        partial.rename(self.folder)
