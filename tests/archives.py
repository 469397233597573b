"""Unpacking archives that tests have downloaded and whose hash they have checked."""

import tarfile
from collections.abc import Iterable
from pathlib import Path


def unpack(
    packed: tarfile.TarFile, folder: str | Path, members: Iterable[tarfile.TarInfo] | None = None
) -> None:
    """Unpack it, by the filter for data where Python has it (3.11.4 and later)."""
    if hasattr(tarfile, "data_filter"):
        packed.extractall(folder, members, filter="data")
    else:
        packed.extractall(folder, members)
