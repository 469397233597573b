"""What a run is about: apps say which of their pages a parameter names, and the run's page links there."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse

from jobs.models import JobRun

_kinds: dict[str, "_Kind"] = {}
_lists: dict[str, "_Kind"] = {}


@dataclass(frozen=True)
class _Kind:
    label: str
    url_name: str
    permission: str


@dataclass(frozen=True)
class Subject:
    """A link from a run to the thing it is about."""

    label: str
    text: str
    url: str


def add(parameter: str, *, label: str, url_name: str, permission: str) -> None:
    """Link a parameter (`source_id`) to the page (`admin:publishing_source_change`) of the row it names."""
    _kinds[parameter] = _Kind(label, url_name, permission)


def add_list(*jobs: str, label: str, url_name: str, permission: str) -> None:
    """Link runs of these jobs to a list that shows what belongs to one of them by `?run=` and its id."""
    for job in jobs:
        _lists[job] = _Kind(label, url_name, permission)


def subjects_of(run: JobRun, request: HttpRequest) -> list[Subject]:
    """The links of a run that its reader may follow."""
    found = [
        Subject(kind.label, f"{kind.label} {value}", reverse(kind.url_name, args=[value]))
        for parameter, kind in _kinds.items()
        if isinstance(value := run.parameters.get(parameter), int) and request.user.has_perm(kind.permission)
    ]
    kind = _lists.get(run.job)
    if kind is not None and request.user.has_perm(kind.permission):
        found.append(Subject(kind.label, "what it brought in", f"{reverse(kind.url_name)}?run={run.pk}"))
    return found
