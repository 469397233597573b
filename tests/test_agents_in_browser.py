"""The pages of agents and publishers in a real browser: what their scripts do, and that the content policy refuses nothing."""

import pytest
from playwright.sync_api import expect

from jobs.models import JobRun, Schedule
from publishing.models import Agent, Publisher
from publishing.tests.factories import make_agent, make_publication, make_publisher, make_source
from tests.browser import CHROMIUM, is_installed
from tests.workers import worker

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]

KEY = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
ADMIN = "/admin/publishing"


def test_a_publisher_is_added_and_its_test_appears_by_itself(page, spawner, flush_broker):
    flush_broker()
    page.goto(f"{ADMIN}/publisher/add/")
    page.click("[aria-label='Add a publisher: Webhook']")
    page.fill("#id_name", "Partner")
    page.fill("#id_parameter-url", "not an address")
    page.fill("#id_parameter-key", KEY)
    page.click("button[name=_save]")
    expect(page.locator("#id_name")).to_have_value("Partner")
    expect(page.locator("#id_parameter-key")).to_have_value("")
    page.fill("#id_parameter-url", "http://127.0.0.1:9/in")
    page.fill("#id_parameter-key", KEY)
    page.click("button[name=_save]")
    expect(page.locator("body")).to_contain_text("“Partner” was saved")
    assert KEY not in page.content()
    assert Publisher.objects.get().secrets.open()["key"] == KEY
    page.click("button:has-text('Test')")
    expect(page.locator("#test")).to_contain_text("look again")
    with worker(spawner, queues="publishing"):
        expect(page.locator("#test")).to_contain_text("Failed")
        expect(page.locator("#test")).to_contain_text("private or reserved network")
        expect(page.locator("#test")).not_to_contain_text("look again")


def test_an_agent_is_added_with_a_schedule_that_is_previewed_while_one_types(page):
    source, publisher = make_source(name="Tides and trade"), make_publisher("site", name="The blog")
    page.goto(f"{ADMIN}/agent/add/")
    page.fill("#id_name", "Harbour")
    page.click(".select2-selection >> nth=0")
    page.keyboard.type("tides")
    page.click(".select2-results__option:has-text('Tides and trade')")
    page.fill("#id_timezone", "Europe/Warsaw")
    page.fill("#id_schedule_cron", "99 7 * * *")
    expect(page.locator("#preview .jobs-note--bad")).to_be_visible()
    page.fill("#id_schedule_cron", "30 7 * * mon-fri")
    expect(page.locator("#preview")).to_contain_text("Monday through Friday (Europe/Warsaw)")
    expect(page.locator("#preview tbody tr:not(.jobs-slot-note)")).to_have_count(10)
    page.select_option("#id_workflow", "auto")
    page.click("button[name=_save]")
    expect(page.locator("body")).to_contain_text("Choose where its posts go out")
    expect(page.locator("#preview")).to_contain_text("Monday through Friday")
    page.locator(".select2-selection").nth(1).click()
    page.click(".select2-results__option:has-text('The blog')")
    page.click("button[name=_save]")
    expect(page.locator("body")).to_contain_text("Harbour was saved")
    agent = Agent.objects.get()
    assert (list(agent.sources.all()), list(agent.publishers.all())) == ([source], [publisher])
    assert Schedule.objects.get(agent=agent).name == "Agent: Harbour"
    page.click("text=Write now …")
    page.fill("#id_topic", "Seals")
    page.click("button[name=_run]")
    expect(page.locator("#run")).to_contain_text("Waiting for a worker")
    assert JobRun.objects.get().parameters["topic"] == "Seals"


def test_without_scripts_an_agent_is_added_as_well(chromium, page, live_server):
    source = make_source(name="Tides")
    cookies = page.context.cookies()
    with chromium.new_context(base_url=live_server.url, java_script_enabled=False) as context:
        context.add_cookies(cookies)
        plain = context.new_page()
        plain.goto(f"{ADMIN}/agent/add/")
        plain.fill("#id_name", "Harbour")
        plain.select_option("#id_sources", str(source.pk))
        plain.fill("#id_schedule_cron", "0 7 * * *")
        plain.click("button[name=_preview]")
        expect(plain.locator("#preview")).to_contain_text("At 07:00 every day")
        plain.click("button[name=_save]")
        expect(plain.locator("body")).to_contain_text("Harbour was saved")
    assert list(Agent.objects.get().sources.all()) == [source]


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(page, width):
    agent = make_agent(name="An agent with quite a long name for somebody who writes", expertise="x" * 90)
    publication = make_publication(make_publisher(name="p" * 90), state="failed", reason="w" * 300)
    page.set_viewport_size({"width": width, "height": 844})
    for path in (
        "agent/",
        f"agent/{agent.pk}/change/",
        f"agent/{agent.pk}/run/",
        "publisher/",
        "publisher/add/",
        f"publisher/{publication.publisher_id}/change/",
        "publication/",
        f"publication/{publication.pk}/change/",
        "generation/",
        "usage/",
        "usagerecord/",
        "source/",
    ):
        page.goto(f"{ADMIN}/{path}")
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path
