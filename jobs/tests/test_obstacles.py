"""What the preview says of coming slots that will not start at their time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs import obstacles, schedules
from jobs.models import Calendar, MaintenanceWindow
from jobs.schedules import Wish
from jobs.when import When

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 12, 23, 12, 0, tzinfo=UTC)
CHRISTMAS = datetime(2026, 12, 25, 8, 0, tzinfo=UTC)


@pytest.fixture
def schedule():
    wish = Wish(
        name="Letters",
        job="testing.do_nothing",
        when=When(cron="0 9 * * *", timezone="Europe/Berlin"),
        parameters={},
    )
    return schedules.create(wish, by=None)


def window(mode, **values):
    fields = {"starts_at": CHRISTMAS, "ends_at": CHRISTMAS + timedelta(hours=2), "covers_all": True, **values}
    return MaintenanceWindow.objects.create(name="Upgrade", mode=mode, **fields)


def test_nothing_speaks_against_a_plain_slot(schedule, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        obstacle = obstacles.of_schedule(schedule, NOW)
        assert [obstacle(CHRISTMAS + timedelta(days=days)) for days in range(10)] == [""] * 10


def test_days_of_a_calendar_are_told_in_the_zone_of_the_schedule(schedule):
    calendar = Calendar.objects.create(name="Holidays")
    calendar.days.create(first_day=CHRISTMAS.date(), last_day=CHRISTMAS.date(), note="Christmas")
    calendar.schedules.add(schedule)
    obstacle = obstacles.of_schedule(schedule, NOW)
    assert obstacle(CHRISTMAS) == "Skipped: Fri 25 Dec 2026 is in the calendar Holidays: Christmas."
    assert obstacle(CHRISTMAS.replace(day=24, hour=23, minute=30)) != ""  # it is the 25th in Berlin
    assert obstacle(CHRISTMAS + timedelta(days=1)) == ""


def test_windows_skip_or_hold(schedule):
    row = window("skip")
    assert obstacles.of_schedule(schedule, NOW)(CHRISTMAS) == "Skipped: maintenance window Upgrade."
    MaintenanceWindow.objects.filter(pk=row.pk).update(mode="hold")
    assert obstacles.of_schedule(schedule, NOW)(CHRISTMAS) == (
        "Held until Fri 11:00: maintenance window Upgrade."
    )


def test_a_window_of_another_job_is_no_obstacle(schedule):
    window("skip", covers_all=False, jobs=["testing.echo_text"])
    assert obstacles.of_schedule(schedule, NOW)(CHRISTMAS) == ""


def test_the_previews_of_api_and_admin_tell_it(schedule, client, admin_client):
    now = timezone.now()
    window("skip", starts_at=now, ends_at=now + timedelta(days=30))
    answer = client.get(reverse("api:schedule-preview", args=[schedule.pk])).json()
    assert {slot["obstacle"] for slot in answer["slots"]} == {"Skipped: maintenance window Upgrade."}
    changed = client.post(
        reverse("api:schedule-preview", args=[schedule.pk]), {"cron": "0 10 * * *"}, format="json"
    ).json()
    assert changed["after"][0]["obstacle"] == "Skipped: maintenance window Upgrade."
    page = admin_client.get(f"/admin/jobs/schedule/{schedule.pk}/change/").content.decode()
    assert "Skipped: maintenance window Upgrade." in page
