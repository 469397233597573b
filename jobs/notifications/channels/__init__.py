"""Kinds of channels: one module of this package each, found by being there."""

import pkgutil
from importlib import import_module
from typing import Any

from jobs.errors import InvalidParameters
from jobs.models import NotificationChannel
from jobs.notifications.channels.base import (
    Answer,
    ChannelKind,
    Envelope,
    Settings,
    all_kinds,
    find_kind,
    get_kind,
)
from jobs.notifications.errors import SettingsOutdated

__all__ = [
    "Answer",
    "ChannelKind",
    "Envelope",
    "Settings",
    "all_kinds",
    "find_kind",
    "get_kind",
    "load",
    "read_settings",
]


def load() -> None:
    """Import every kind; called when the app is ready."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")


def read_settings(channel: NotificationChannel) -> Any:
    """A channel's settings and secrets as its kind's model.

    Raises UnknownChannelKind, SecretUnreadable, and SettingsOutdated when the kind wants other settings by now.
    """
    try:
        return get_kind(channel.kind).read({**channel.settings, **channel.secrets.open()})
    except InvalidParameters as error:
        raise SettingsOutdated(f"The settings of “{channel}” do not fit any more: {error}") from error
