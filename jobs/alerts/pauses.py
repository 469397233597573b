"""Schedules that were paused because their runs fail."""

from datetime import datetime

from jobs.alerts import subjects
from jobs.alerts.names import SCHEDULE_PAUSED
from jobs.alerts.raising import raise_alert
from jobs.failures import NOTE
from jobs.models import Alert, SchedulePolicy


def look(at: datetime) -> None:
    """Tell of those that nobody was told of; a paused schedule is one sighting, however long it is paused."""
    known = Alert.objects.live().filter(kind=SCHEDULE_PAUSED).values_list("subject_id", flat=True)
    paused = SchedulePolicy.objects.filter(
        pause_on_failure=True, paused_at__isnull=False, paused_until=None, pause_note__startswith=NOTE
    )
    for policy in paused.exclude(pk__in=[int(pk) for pk in known if pk.isdecimal()]).select_related("task"):
        raise_alert(
            SCHEDULE_PAUSED,
            subject=subjects.of_schedule(policy.pk, policy.task.name),
            title=f"{policy.task.name} was paused",
            message=policy.pause_note,
            since=policy.paused_at,
            at=at,
            job=policy.task.task,
            owner_group_id=policy.owner_group_id,
        )
