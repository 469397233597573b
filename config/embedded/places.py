"""Where one pair of servers keeps its data and its sockets, and who may enter."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from config.embedded.errors import EmbeddedError

#: Everything that root's servers need outside the checkout: data, sockets, programs.
SYSTEM_FOLDER = Path("/var/lib/almanac")
#: Sockets of ordinary users. Not `tempfile.gettempdir()`: every process of a user must come to the same answer.
TEMPORARY_FOLDER = Path("/tmp")  # noqa: S108 - the folders made in it are private and checked for their owner

DATABASE_NAME = "almanac"
DATABASE_USER = "almanac"


@dataclass(frozen=True)
class StackUrls:
    """The addresses of one database and one broker."""

    database_url: str
    broker_url: str


@dataclass(frozen=True)
class Places:
    """The two private folders of one pair of servers."""

    home: Path
    """Data, logs and the lock."""
    sockets: Path
    """Unix sockets: a short path, because the system allows about 100 bytes for a whole socket address."""

    @classmethod
    def of_checkout(cls, root: Path) -> "Places":
        """The places of the checkout at `root` for the present user; the same answer every time."""
        root = root.resolve()
        key = hashlib.sha256(os.fsencode(root)).hexdigest()[:12]
        user = os.geteuid()
        if user == 0:
            return cls(home=SYSTEM_FOLDER / key, sockets=SYSTEM_FOLDER / key / "sockets")
        return cls(home=root / ".almanac", sockets=TEMPORARY_FOLDER / f"almanac-{user}-{key}")

    @classmethod
    def in_folder(cls, folder: Path) -> "Places":
        """Everything in one folder with a short path: servers that live for a test session."""
        return cls(home=folder, sockets=folder / "sockets")

    @property
    def broker_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    @property
    def database_socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def urls(self) -> StackUrls:
        """Addresses in the form that `config.env.database` and Celery read."""
        return StackUrls(
            database_url=f"postgresql:///{DATABASE_NAME}?host={quote(str(self.sockets))}&user={DATABASE_USER}",
            broker_url=f"redis+socket://{quote(str(self.broker_socket))}?virtual_host=0",
        )


def make_private(folder: Path, owner: tuple[int, int]) -> None:
    """Make `folder` for (uid, gid) alone. A folder that is already there is only accepted from the same owner."""
    uid, gid = owner
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_strangers(folder, uid)
        return
    except OSError as error:
        raise EmbeddedError(f"Cannot make the folder {folder} for the servers: {error.strerror}.") from error
    if uid != os.geteuid():
        os.chown(folder, uid, gid)


def _refuse_strangers(folder: Path, uid: int) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(
            f"{folder} should be the servers' own folder but is something else; move it away."
        )
    if found.st_uid != uid:
        raise EmbeddedError(
            f"{folder} belongs to user {found.st_uid}, not to user {uid} who runs the servers; "
            "run as that user, or remove the folder."
        )
    if found.st_mode & 0o077:
        folder.chmod(0o700)
