"""Kinds of alerts: each app declares its own, like jobs, in a module that is imported at start."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jobs.errors import NotFound
from jobs.models import Alert

_NAME = re.compile(r"[a-z][a-z0-9]*\.[a-z][a-z0-9]*(_[a-z0-9]+)*")

#: Gives those of a kind's live alerts whose cause was seen well since they were last seen to be bad.
FindGood = Callable[[list[Alert], datetime], Iterable[Alert]]
#: Looks for what is bad at that moment and raises it. Asked at every look of the watch, so it must be cheap.
FindBad = Callable[[datetime], None]


class UnknownKind(NotFound):
    """No kind of alert of that name is registered."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What all alerts of a kind have in common."""

    #: `<app>.<noun>`; stored for ever.
    name: str
    title: str
    severity: Alert.Severity
    #: What it means, in a sentence or two.
    help_text: str
    #: What to look at and what to do, as plain text; each line a step.
    runbook: str
    #: It opens when it was seen to be bad so many times in a row …
    bad_in_a_row: int = 1
    #: … or for so long; None: only the number counts.
    bad_for: timedelta | None = None
    #: It closes when it was seen well so many times in a row.
    good_in_a_row: int = 1
    #: Within so long, further sightings only count; after it, people are told once more.
    cooldown: timedelta = timedelta(hours=1)
    #: A cause that comes back within so long opens its former alert again.
    reopens_within: timedelta = timedelta(hours=1)
    #: It closes when it was not seen for so long; None: never because of that.
    quiet_after: timedelta | None = None
    #: Asked at every look of the watch to raise what is bad; None: somebody else raises it.
    find_bad: FindBad | None = None
    #: Asked at every look of the watch which alerts are over; None: whoever raises it, ends it.
    find_good: FindGood | None = None
    #: An outage of a part on which everything depends: others are folded into it.
    is_outage: bool = False
    #: Sightings during an outage are explained by it.
    is_folded: bool = False
    #: People and other systems may raise it through the API.
    is_reportable: bool = False

    @property
    def app_label(self) -> str:
        return self.name.partition(".")[0]


_registry: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Declare kinds of alerts. Raises ValueError at import for a name that is taken or malformed."""
    for kind in kinds:
        if not _NAME.fullmatch(kind.name):
            raise ValueError(f"A kind of alert is named <app>.<noun> in lower case; {kind.name!r} is not.")
        if kind.name in _registry:
            raise ValueError(f"There are two kinds of alerts named {kind.name!r}.")
        if kind.bad_in_a_row < 1 or kind.good_in_a_row < 1:
            raise ValueError(f"{kind.name} opens after at least one bad sighting and closes after one good.")
        _registry[kind.name] = kind


def get_kind(name: str) -> Kind:
    """The kind of that name; raises UnknownKind."""
    try:
        return _registry[name]
    except KeyError:
        raise UnknownKind(f"There is no kind of alert named {name!r}.") from None


def find_kind(name: str) -> Kind | None:
    """The kind of that name, or None for alerts of an app that is gone."""
    return _registry.get(name)


def all_kinds() -> list[Kind]:
    """Every registered kind, by name."""
    return [_registry[name] for name in sorted(_registry)]


def title_of(name: str) -> str:
    """The title of a kind, or its name when no such kind is registered."""
    kind = find_kind(name)
    return kind.title if kind else name
