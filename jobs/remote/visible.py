"""Who may see what of a report: the runs of other groups stay theirs."""

import uuid
from collections.abc import Iterable
from dataclasses import replace

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from jobs.models import JobRun
from jobs.remote.inspection import Held, Report

#: Stands for the id and the task of a run that somebody may not see.
HIDDEN = "hidden"


def seen_by(user: AbstractBaseUser | AnonymousUser, report: Report) -> Report:
    """The report without the runs that the user may not see; tasks that are no runs are everybody's."""
    held = [*report.active, *report.reserved, *report.scheduled]
    ids = {found for found in map(_id, [*(one.id for one in held), *report.revoked]) if found}
    known = JobRun.objects.filter(pk__in=ids)
    secret = set(known.values_list("pk", flat=True)) - set(
        known.visible_to(user).values_list("pk", flat=True)
    )
    if not secret:
        return report
    return replace(
        report,
        active=_hide(report.active, secret),
        reserved=_hide(report.reserved, secret),
        scheduled=_hide(report.scheduled, secret),
        revoked=[one for one in report.revoked if _id(one) not in secret],
    )


def _hide(held: Iterable[Held], secret: set[uuid.UUID]) -> list[Held]:
    return [replace(one, id=HIDDEN, name=HIDDEN) if _id(one.id) in secret else one for one in held]


def _id(task_id: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(task_id)
    except ValueError:
        return None
