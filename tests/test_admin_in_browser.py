"""The admin in a real browser, with a real worker: what scripts do, and that the content policy refuses nothing.

Without a live process here: pages ask by themselves. With one: test_live_in_browser.py.
"""

import pytest
from playwright.sync_api import expect

from jobs import schedules
from jobs.models import JobRun, Schedule
from jobs.schedules import Wish
from jobs.when import When
from tests.browser import CHROMIUM, is_installed
from tests.jobs_for_tests import tasks
from tests.workers import worker

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]


def test_a_schedule_is_made_with_a_preview_that_follows_the_typing(page):
    page.goto("/admin/jobs/schedule/add/")
    page.fill("#id_name", "Weekday sums")
    page.select_option("#id_job", "testing.add_numbers")
    page.fill("#id_parameter-left", "4")
    expect(page.locator("#id_interval")).to_be_hidden()
    page.fill("#id_timezone", "Europe/London")
    page.fill("#id_cron", "30 1 * * *")
    expect(page.locator("#preview")).to_contain_text("At 01:30 every day (Europe/London)")
    expect(page.locator("#preview tbody tr:not(.jobs-slot-note)")).to_have_count(10)
    expect(page.locator("#preview")).to_contain_text("clocks go forward")
    page.fill("#id_cron", "99 1 * * *")
    expect(page.locator("#preview .jobs-note--bad")).to_be_visible()
    page.fill("#id_cron", "0 9 * * mon-fri")
    expect(page.locator("#preview")).to_contain_text("Monday through Friday")
    page.select_option("#id_catch_up", "skip")
    expect(page.locator("#catch-up-words")).to_contain_text("never run")
    page.click("button[name=_save]")
    expect(page.locator("#result_list")).to_contain_text("Weekday sums")
    assert Schedule.objects.get(name="Weekday sums").kwargs == '{"left": 4, "right": 1}'


def test_another_job_brings_its_fields_and_going_back_brings_back_what_was_typed(page):
    page.goto("/admin/jobs/schedule/add/?job=testing.add_numbers")
    page.fill("#id_parameter-left", "41")
    page.select_option("#id_job", "testing.count_slowly")
    page.fill("#id_parameter-until", "7")
    expect(page.locator("#id_parameter-left")).to_have_count(0)
    page.select_option("#id_job", "testing.add_numbers")
    expect(page.locator("#id_parameter-left")).to_have_value("41")


def test_a_running_run_moves_its_bar_and_can_be_cancelled(page, spawner, flush_broker):
    flush_broker()
    with worker(spawner):
        page.goto("/admin/jobs/jobrun/run/")
        page.click("text=Count slowly")
        page.fill("#id_parameter-until", "600")
        page.fill("#id_parameter-pause", "0.1")
        page.click("#run_form button")
        run = page.locator("#run")
        expect(run).to_contain_text("Running")
        bar = page.locator("[data-part=progress] progress")
        before = float(bar.get_attribute("value") or 0)
        expect(run).to_contain_text("left")
        page.wait_for_function(f"document.querySelector('progress').value > {before} + 0.3")
        page.click("text=Cancel")
        page.click("text=Cancel the run")
        expect(run).to_contain_text("Cancelled")
        expect(run).to_contain_text("acknowledged by the worker")
        expect(page.locator("text=Run again").first).to_be_visible()
    assert JobRun.objects.get().status == JobRun.Status.CANCELLED


def test_the_log_of_a_run_is_followed_and_its_outcome_appears(page, spawner, flush_broker):
    flush_broker()
    run = tasks.handle_units.enqueue(good=2, bad=1)
    page.goto(f"/admin/jobs/jobrun/{run.pk}/change/")
    expect(page.locator("#run")).to_contain_text("Waiting for a worker")
    with worker(spawner):
        expect(page.locator("#run")).to_contain_text("Partly succeeded")
        expect(page.locator("#log")).to_contain_text("unit 0: broken")
        expect(page.locator("[data-part=outcome]")).to_contain_text('"good": 2')


def test_news_are_not_asked_for_once_the_run_has_ended(page):
    run = tasks.add_numbers.enqueue(left=1)
    JobRun.objects.filter(pk=run.pk).update(status="succeeded")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    page.goto(f"/admin/jobs/jobrun/{run.pk}/change/")
    page.wait_for_timeout(2500)
    assert asked == []


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_is_wider_than_the_screen(page, width):
    wish = Wish(
        name="Morning count",
        job="testing.count_slowly",
        when=When(cron="30 1 * * *", timezone="Europe/London"),
        parameters={},
    )
    schedule = schedules.create(wish, by=None)
    schedules.pause(schedule, note="The other side moves house and takes its time", by=None)
    run = schedules.run_now(schedule, by=None, trigger=JobRun.Trigger.CODE)
    JobRun.objects.filter(pk=run.pk).update(status="failed", error_type="E", error_message="x" * 300)
    page.set_viewport_size({"width": width, "height": 844})
    for path in (
        "",
        "jobs/schedule/",
        "jobs/schedule/add/?job=testing.add_numbers",
        f"jobs/schedule/{schedule.pk}/change/",
        f"jobs/schedule/{schedule.pk}/pause/",
        f"jobs/schedule/{schedule.pk}/run/",
        f"jobs/schedule/{schedule.pk}/resume/",
        f"jobs/schedule/{schedule.pk}/versions/",
        f"jobs/schedule/{schedule.pk}/versions/1/",
        f"jobs/schedule/{schedule.pk}/timeline/",
        "jobs/schedule/timeline/",
        "jobs/schedule/timeline/?view=week",
        "jobs/schedule/drift/",
        "jobs/schedule/import/",
        "jobs/jobrun/",
        "jobs/jobrun/run/",
        f"jobs/jobrun/{run.pk}/change/",
        "jobs/processheartbeat/",
        "auth/user/",
    ):
        page.goto(f"/admin/{path}")
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path


def test_the_theme_switches_between_light_and_dark(page):
    page.emulate_media(color_scheme="light")
    page.goto("/admin/")
    expect(page.locator("html")).not_to_have_class("dark")
    page.keyboard.press("Control+e")
    page.keyboard.press("Control+e")
    expect(page.locator("html")).to_have_class("dark")
