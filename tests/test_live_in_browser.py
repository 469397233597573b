"""The admin in a real browser with a live process: pages follow what happens without being loaded again."""

from typing import Any

import pytest
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule
from playwright.sync_api import expect

from jobs import ledger, log_lines
from jobs.ledger import Outcome, Progress
from jobs.log_lines import LogLine
from jobs.models import Alert, JobRun, Schedule
from jobs.slots import plan_stale
from tests.browser import CHROMIUM, is_installed
from tests.jobs_for_tests import tasks
from tests.workers import worker

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]


@pytest.fixture(autouse=True)
def live(settings, live_port):
    """Pages know of the live process."""
    settings.LIVE_PORT = live_port


def begin(run: JobRun) -> int:
    claim = ledger.claim(run.pk, worker="w@here", pid=1)
    assert claim is not None
    return claim.attempt


def raise_alert(title: str) -> Alert:
    now = timezone.now()
    return Alert.objects.create(
        kind="jobs.run_failed", severity="high", fingerprint=title, app="jobs", title=title, state="open",
        first_seen_at=now, last_seen_at=now, opened_at=now, news_at=now,
    )  # fmt: skip


def stays(page: Any) -> None:
    """Remember this document: a page that is loaded again forgets."""
    page.evaluate("window.isTheSame = true")


def is_the_same(page: Any) -> bool:
    return bool(page.evaluate("window.isTheSame === true"))


def stream(page: Any) -> Any:
    """A context that ends when the page has its stream of events: from then on it asks by itself no more."""
    return page.expect_response(lambda answer: "/api/v1/events/" in answer.url and answer.ok)


def test_a_schedule_is_made_run_watched_and_its_run_cancelled(page, spawner, flush_broker):
    flush_broker()
    page.goto("/admin/jobs/schedule/add/?job=testing.count_slowly")
    page.fill("#id_name", "Morning count")
    page.fill("#id_parameter-until", "600")
    page.fill("#id_parameter-pause", "0.1")
    page.fill("#id_cron", "0 9 * * mon-fri")
    expect(page.locator("#preview")).to_contain_text("Monday through Friday")
    page.click("button[name=_save]")
    schedule = Schedule.objects.get(name="Morning count")
    with worker(spawner):
        page.goto(f"/admin/jobs/schedule/{schedule.pk}/run/")
        with stream(page):
            page.click("#run_form button, form button.jobs-button--primary")
            page.wait_for_url("**/jobrun/**/change/")
        stays(page)
        polls: list[str] = []
        page.on("request", lambda request: polls.append(request.url) if "/live/" in request.url else None)
        expect(page.locator("#run")).to_contain_text("Running")
        expect(page.locator("#run")).to_contain_text("left")
        before = page.evaluate("document.querySelector('progress').value")
        page.wait_for_function(f"document.querySelector('progress').value > {before} + 0.5")
        assert is_the_same(page)
        assert len(polls) <= 4  # asked for when the status changes, not for every step of the bar
        page.click("text=Cancel")
        page.click("text=Cancel the run")
        expect(page.locator("#run")).to_contain_text("Cancelled")
    assert JobRun.objects.get().status == JobRun.Status.CANCELLED


def test_the_log_and_bar_of_a_run_come_with_the_events(page):
    run = tasks.count_slowly.enqueue()
    with stream(page):
        page.goto(f"/admin/jobs/jobrun/{run.pk}/change/")
    stays(page)
    attempt = begin(run)
    expect(page.locator("#run")).to_contain_text("Running")
    expect(page.locator("[data-part=progress] progress")).to_be_visible()
    polls: list[str] = []
    page.on("request", lambda request: polls.append(request.url) if "/live/" in request.url else None)
    for number in (10, 20, 30):
        lines = [LogLine(at=timezone.now(), level=30, message=f"<b>line</b> {number}")]
        log_lines.write(run.pk, attempt, lines)
        ledger.renew(
            run.pk, attempt, Progress(percent=number, current=number, total=100, text="Counting sheep")
        )
        expect(page.locator("#log li").last).to_contain_text(f"<b>line</b> {number}")
        page.wait_for_function(f"document.querySelector('#run progress').value === {number}")
    expect(page.locator("[data-part=progress]")).to_contain_text("30 of 100")
    expect(page.locator("[data-part=progress]")).to_contain_text("Counting sheep")
    assert polls == []
    ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.SUCCEEDED, result={"sheep": 100}))
    expect(page.locator("[data-part=outcome]")).to_contain_text("sheep")
    assert page.locator("#log li").count() == 3
    assert is_the_same(page)


def test_what_happened_while_the_page_was_hidden_is_there_afterwards(page):
    run = tasks.count_slowly.enqueue()
    attempt = begin(run)
    page.goto(f"/admin/jobs/jobrun/{run.pk}/change/")
    log_lines.write(run.pk, attempt, [LogLine(at=timezone.now(), level=20, message="seen")])
    expect(page.locator("#log")).to_contain_text("seen")
    hide = "Object.defineProperty(document, 'hidden', {{value: {}, configurable: true}}); document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide.format("true"))
    log_lines.write(run.pk, attempt, [LogLine(at=timezone.now(), level=20, message="unseen")])
    page.wait_for_timeout(700)
    assert "unseen" not in page.locator("#log").text_content()
    page.evaluate(hide.format("false"))
    expect(page.locator("#log")).to_contain_text("unseen")
    assert page.locator("#log li").count() == 2


def test_the_first_page_follows_runs_alerts_and_schedules(page):
    run = tasks.count_slowly.enqueue()
    page.goto("/admin/")
    stays(page)
    expect(page.locator("#connection")).to_have_text("Live")
    row = page.locator(f"[data-run='{run.pk}']")
    expect(row).to_contain_text("Queued")
    attempt = begin(run)
    expect(row.locator("progress")).to_be_visible()
    ledger.renew(run.pk, attempt, Progress(percent=35, text="Half way, nearly"))
    expect(row).to_contain_text("35 %")
    expect(row).to_contain_text("Half way, nearly")
    expect(row).to_contain_text("left")
    raise_alert("Much is wrong")
    expect(page.locator("#overview")).to_contain_text("Much is wrong")
    ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.FAILED, error_message="Out of sheep"))
    expect(row).to_have_count(0)
    expect(page.locator("#overview")).to_contain_text("Out of sheep")
    Schedule.objects.create(name="New one", task="testing.add_numbers", interval=_hourly())
    plan_stale(timezone.now())
    expect(page.locator("#overview")).to_contain_text("New one")
    assert is_the_same(page)


def test_an_alert_is_acknowledged_from_the_first_page(page):
    alert = raise_alert("Much is wrong")
    page.goto("/admin/")
    stays(page)
    figure = page.locator(".jobs-figure", has_text="Open alerts")
    expect(figure).to_contain_text("the worst is high")
    other = page.context.new_page()
    other.goto("/admin/")
    other.click("text=Much is wrong")
    other.click("text=Acknowledge")
    other.locator("form button.jobs-button--primary").filter(has_text="Acknowledge").first.click()
    expect(other.locator("body")).to_contain_text("Acknowledged")
    # The first page, still open beside it, has heard.
    expect(figure).to_contain_text("nothing is wrong")
    expect(page.locator("#overview")).to_contain_text("· acknowledged")
    assert is_the_same(page)
    assert Alert.objects.get(pk=alert.pk).state == Alert.State.ACKNOWLEDGED


def test_failed_runs_of_one_cause_are_made_again_together(page):
    page.goto("/admin/")
    stays(page)
    expect(page.locator("#connection")).to_have_text("Live")
    failed = [tasks.fail_for_good.enqueue() for _ in range(3)]
    failure = Outcome(
        status=JobRun.Status.FAILED,
        error_type="jobs.errors.PermanentError",
        error_message="There is no such thing.",
        error_fingerprint="0123456789abcdef",
    )
    for run in failed:
        ledger.finish(run.pk, begin(run), failure)
    expect(page.locator("#overview")).to_contain_text("There is no such thing.")
    assert is_the_same(page)
    page.goto("/admin/jobs/jobrun/failures/0123456789abcdef/")
    page.click("text=Make 3 again")
    page.click("text=Dry run")
    expect(page.locator("body")).to_contain_text("3 runs")
    page.click("button[name=_confirmed]")
    expect(page.locator("body")).to_contain_text("3 runs made again")
    assert JobRun.objects.filter(retry_of__in=[run.pk for run in failed]).count() == 3


def test_rows_of_the_list_of_runs_change_and_stay_chosen(page):
    run = tasks.count_slowly.enqueue()
    page.goto("/admin/jobs/jobrun/")
    stays(page)
    row = page.locator("#result_list tr", has=page.locator(f"a[href*='{run.pk}']"))
    expect(row).to_contain_text("Queued")
    choice = row.locator("input.action-select")
    if choice.count():
        choice.check()
    attempt = begin(run)
    expect(row).to_contain_text("Running")
    ledger.renew(run.pk, attempt, Progress(percent=64, text="Counting"))
    expect(row).to_contain_text("64 % Counting")
    ledger.finish(run.pk, attempt, Outcome(status=JobRun.Status.SUCCEEDED))
    expect(row).to_contain_text("Succeeded")
    if choice.count():
        expect(choice).to_be_checked()
    tasks.add_numbers.enqueue(left=1)
    expect(page.locator(".jobs-new-runs")).to_have_text("1 new run: show it")
    assert is_the_same(page)


def _hourly() -> IntervalSchedule:
    return IntervalSchedule.objects.create(every=1, period="hours")
