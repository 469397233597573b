"""Root's data belongs to one checkout, and not to the next one that is made at the same path.

An ordinary user's data goes when the checkout goes. Root's data lies elsewhere and stays; it must not turn up, with
its old passwords, in a fresh checkout. Both sides carry the same mark, and data with another mark is set aside.
"""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from config.embedded.account import server_account, system_folder_locked
from config.embedded.places import SYSTEM_FOLDER, Places, make_private
from config.embedded.stack import Stack

MARK = "checkout_id"


def set_strangers_data_aside(root: Path) -> Path | None:
    """Move data that an earlier checkout at this path has left; give the place it is in now, or None."""
    places = Places.of_checkout(root)
    if places.home.parent != SYSTEM_FOLDER:
        return None
    account = server_account()
    with system_folder_locked():
        here, there = root / ".almanac" / MARK, places.home / MARK
        if there.exists() and here.exists() and there.read_text() == here.read_text():
            return None
        aside = _set_aside(places) if places.home.exists() else None
        make_private(here.parent, (0, 0))
        make_private(places.home, account.owner)
        here.write_text(secrets.token_hex(16))
        there.write_text(here.read_text())
        return aside


def _set_aside(places: Places) -> Path:
    Stack(places).stop()
    aside = places.home.with_name(f"{places.home.name}-left-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    return places.home.rename(aside)
