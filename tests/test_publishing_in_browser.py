"""The calendar and the editor of posts in a real browser: what scripts do, widths, accessibility, and that nothing is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Dialog, Page, expect

from publishing import agents
from publishing.models import Post, PostSource, Publication
from publishing.tests.factories import make_agent, make_post, make_publisher, put_on_site
from tests.browser import CHROMIUM, is_installed

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]

POSTS = "/admin/publishing/post/"


@pytest.fixture
def tomorrow() -> datetime:
    return (timezone.now() + timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)


def scheduled(at: datetime, **fields) -> Post:
    post = make_post(status=Post.Status.SCHEDULED, scheduled_at=at, **fields)
    Publication.objects.create(post=post, publisher=make_publisher(), due_at=at, next_attempt_at=at)
    return post


def test_a_post_is_moved_in_the_calendar_and_a_refusal_stays_open_at_it(page, tomorrow):
    post = scheduled(tomorrow, title="The ferry timetable")
    page.goto(f"{POSTS}calendar/?date={tomorrow:%Y-%m-%d}")
    entry = page.locator(f"#post-{post.pk}")
    expect(entry.locator("input[name=at]")).to_be_hidden()
    entry.locator("summary").click()
    entry.locator("input[name=at]").fill("2020-01-01T09:00")
    entry.locator("button").click()
    expect(entry).to_contain_text("This moment has passed.")
    expect(entry.locator("input[name=at]")).to_have_value("2020-01-01T09:00")
    later = tomorrow + timedelta(hours=3, minutes=15)
    entry.locator("input[name=at]").fill(f"{later:%Y-%m-%dT%H:%M}")
    entry.locator("button").click()
    expect(entry.locator("summary")).to_contain_text("13:15")
    expect(page.locator("body")).to_contain_text("“The ferry timetable” goes out")
    post.refresh_from_db()
    assert post.scheduled_at == later


def test_escape_closes_an_entry_and_two_are_never_open(page, tomorrow):
    first, second = scheduled(tomorrow), scheduled(tomorrow)
    page.goto(f"{POSTS}calendar/?date={tomorrow:%Y-%m-%d}")
    cards = [page.locator(f"#post-{post.pk} .cal-card") for post in (first, second)]
    page.locator(f"#post-{first.pk} summary").click()
    expect(cards[0]).to_be_visible()
    page.locator(f"#post-{second.pk} summary").focus()
    page.keyboard.press("Enter")
    expect(cards[1]).to_be_visible()
    expect(cards[0]).to_be_hidden()
    page.keyboard.press("Escape")
    expect(cards[1]).to_be_hidden()


def test_times_are_those_of_the_browser_until_another_zone_is_chosen(chromium, page):
    scheduled(datetime(2036, 7, 31, 22, 30, tzinfo=UTC), title="Around midnight")
    address = f"{POSTS}calendar/?view=week&date=2036-08-01"
    page.goto(address)
    base, cookies = page.url.removesuffix(address), page.context.cookies()
    kept = [cookie for cookie in cookies if cookie["name"] != "time_zone"]
    with chromium.new_context(base_url=base, timezone_id="Asia/Tokyo") as context:
        context.add_cookies(kept)
        there = context.new_page()
        there.goto(address)
        expect(there.locator("#day-2036-08-01")).to_contain_text("07:30 Around midnight")
        there.fill("input[name=zone]", "Europe/Warsaw")
        there.click("text=Show")
        expect(there.locator("#day-2036-08-01")).to_contain_text("00:30 Around midnight")
        there.goto(address)
        expect(there.locator("#day-2036-08-01")).to_contain_text("00:30 Around midnight")


def test_the_score_follows_the_typing_and_nothing_is_saved(page):
    post = make_post(title="Old", body_html="<p>Short.</p>")
    page.goto(f"{POSTS}{post.pk}/change/")
    review = page.locator("#review")
    expect(review).to_contain_text("Choose a main keyword")
    page.fill("#id_keywords", "ferry")
    page.fill("#id_title", "Ferry times for this winter, as the harbour office gives them")
    expect(review).to_contain_text("Put the keyword “ferry” into the meta description.")
    expect(review.locator(".post-snippet-title")).to_contain_text("Ferry times for this winter")
    page.fill("#id_canonical_url", "nowhere")
    expect(review.locator(".jobs-note--bad")).to_contain_text("Canonical address: Enter a valid URL.")
    page.fill("#id_canonical_url", "")
    page.fill("#id_body_html", "<p>The ferry sails. <a href='https://a.example/'>They say</a>.</p>")
    expect(review).to_contain_text("links elsewhere")
    post.refresh_from_db()
    assert post.title == "Old"
    page.click("button[name=_save]")
    expect(page.locator("body")).to_contain_text("was saved.")
    post.refresh_from_db()
    assert post.title.startswith("Ferry times")


def test_what_was_typed_is_not_left_behind_without_a_question(page):
    post = make_post()
    page.goto(f"{POSTS}{post.pk}/change/")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.fill("#id_title", "Typed and not saved")
    page.click(".jobs-submit >> text=Close")
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    expect(page.locator("#id_title")).to_have_value("Typed and not saved")


def test_the_preview_opens_what_is_typed_beside_the_editor(page):
    post = make_post(title="Old")
    page.goto(f"{POSTS}{post.pk}/change/")
    page.fill("#id_title", "A title that is typed")
    with page.context.expect_page() as opened:
        page.click("button[name=_preview]")
    expect(opened.value.locator("article h1")).to_have_text("A title that is typed")
    expect(page.locator("#id_title")).to_have_value("A title that is typed")


def test_a_source_and_the_passages_that_link_to_it_light_up_together(page):
    post = make_post(body_html='<p>Bare.</p><p>Seals <a href="https://a.example/1">sleep</a>.</p>')
    PostSource.objects.create(
        post=post, position=1, title="Seals", url="https://a.example/1", source_name="Notes"
    )
    page.goto(f"{POSTS}{post.pk}/change/")
    page.locator("#source-1 a").first.focus()
    lit = page.locator(".post-passage.post-is-lit")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("Seals sleep.")


def test_both_work_without_javascript(chromium, page, tomorrow):
    post = scheduled(tomorrow, title="Old")
    page.goto(f"{POSTS}calendar/")
    base, cookies = page.url.removesuffix(f"{POSTS}calendar/"), page.context.cookies()
    with chromium.new_context(base_url=base, java_script_enabled=False) as context:
        context.add_cookies(cookies)
        plain = context.new_page()
        plain.goto(f"{POSTS}{post.pk}/change/")
        plain.fill("#id_title", "A title about seals")
        plain.fill("#id_keywords", "seals")
        plain.click("button[name=_check]")
        expect(plain.locator("#id_title")).to_have_value("A title about seals")
        expect(plain.locator("#review")).to_contain_text("Put the keyword “seals” into the first 100 words.")
        plain.goto(f"{POSTS}calendar/?date={tomorrow:%Y-%m-%d}")
        plain.locator(f"#post-{post.pk} summary").click()
        plain.fill(f"#post-{post.pk} input[name=at]", f"{tomorrow:%Y-%m-%d}T17:45")
        plain.click(f"#post-{post.pk} button")
        expect(plain.locator(f"#post-{post.pk} summary")).to_contain_text("17:45")
    post.refresh_from_db()
    assert (post.title, post.scheduled_at) == ("Old", tomorrow.replace(hour=17, minute=45))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_screen_and_are_accessible(page, tomorrow, width, scheme):
    agent = agents.save(make_agent(name="The Harbour Round-up"), {}, cron="0 8 * * *", by=None)
    post = scheduled(tomorrow, agent=agent, title="Along" * 30)
    for number in range(8):
        scheduled(tomorrow + timedelta(minutes=number), title=f"Number {number}")
    for status in ("failed", "missed", "unconfirmed"):
        make_post(status=status, scheduled_at=tomorrow, title=status)
    there = put_on_site(title="There", tags=["Boats"]).post
    PostSource.objects.create(
        post=post, position=1, title="x" * 300, url=f"https://a.example/{'y' * 300}", source_name="Notes"
    )
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    for path in (
        "", "add/", "calendar/", f"calendar/?view=week&date={tomorrow:%Y-%m-%d}", f"{post.pk}/change/",
        f"{post.pk}/schedule/", f"{post.pk}/publish/", f"{post.pk}/reject/", f"{there.pk}/withdraw/", f"{there.pk}/change/",
    ):  # fmt: skip
        page.goto(f"{POSTS}{path}")
        assert width_over(page) <= 0, path
        assert problems(page, ".jobs-card" if path else ".post-tabs") == [], path


def width_over(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def problems(page: Page, part: str) -> list[str]:
    """What axe-core complains of in our part of the page."""
    found = Axe().run(page, context=part)
    return [
        f"{one['id']}: {[node['html'][:150] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]
