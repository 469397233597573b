"""Schedules for chaos tests."""

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from jobs.models import JobRun, SchedulePolicy
from tests.chaos.world import World, eventually


def every_second(count: int) -> list[int]:
    """Schedules that fire every second and catch up on all they miss; their ids."""
    interval = IntervalSchedule.objects.create(every=1, period="seconds")
    schedules = [
        PeriodicTask.objects.create(
            name=f"every second {number}",
            task="testing.count_slowly",
            kwargs='{"until": 1, "pause": 0}',
            interval=interval,
        )
        for number in range(count)
    ]
    SchedulePolicy.objects.update(catch_up=SchedulePolicy.CatchUp.ALL)
    return [schedule.pk for schedule in schedules]


def survivor_takes_over(world: World, schedule_ids: list[int], *, slots: int) -> None:
    """A healthy scheduler runs until each schedule has had some more slots, and then all is settled."""
    known = JobRun.objects.count()
    world.beat()
    eventually(
        lambda: JobRun.objects.count() >= known + slots * len(schedule_ids), "more slots", tell=world.tell
    )
    PeriodicTask.objects.update(enabled=False)
    world.settled()
