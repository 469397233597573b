"""The pages of knowledge in a real browser: searching, asking and judging, widths, accessibility, and all of it without scripts."""

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from knowledge import evaluation, judging
from knowledge.answers import ask
from knowledge.models import Evaluation, Finding, Harvest, JudgedQuery, Paper, Question, Source, Topic
from knowledge.search.engine import Mode
from knowledge.tests.shelf import shelve
from tests.browser import CHROMIUM, is_installed

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]

SEARCH = "/admin/knowledge/search/"
QUESTION = "Does aspirin prevent a second heart attack?"
FINDINGS = (
    "Aspirin reduced the risk of a second heart attack by 21% compared with placebo. "
    "Daily low-dose aspirin prevents a second heart attack."
)
LONG = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4


@pytest.fixture
def paper() -> Paper:
    """A paper with everything that a page can show, in words that do not fit."""
    filling = "We followed patients over several years and wrote down what became of them. " * 12
    found = shelve(
        f"Aspirin after myocardial infarction {LONG}", filling + FINDINGS, journal=f"Journal of {LONG}", year=1999,
        doi="10.1000/" + "x" * 120, pmid="1", pmcid="PMC1", arxiv_id="2611.00001", url=f"https://papers.example/{LONG}",
        authors=[{"family": f"Author{number}", "given": LONG if number == 2 else "Ada"} for number in range(40)],
        types=["Randomized Controlled Trial", LONG], keywords=["aspirin", LONG], languages=["en"], sources=["pubmed"],
        mesh=[{"name": f"Aspirin {LONG}", "is_major": True, "qualifiers": [{"name": "therapeutic use"}]}],
        is_corrected=True, is_doubted=True, provenance={"title": "pubmed"}, details={"volume": "1"},
        notices=[{"relation": "erratum_in", "doi": "10.1000/e", "reference": f"BMJ {LONG}"}],
    )  # fmt: skip
    topic = Topic.objects.create(name=f"Heart disease {LONG}"[:200])
    Finding.objects.create(paper=found, topic=topic)
    return found


def test_a_search_is_refined_and_leads_to_the_passage(page, paper):
    shelve("Aspirin in old age", "Aspirin was given to people older than 80 years.", year=2020)
    page.goto(SEARCH)
    page.fill("#know-q", "aspirin heart attack")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?q=aspirin\+heart\+attack$"))
    expect(page.locator(".know-results > li")).to_have_count(2)
    page.locator(".know-filters > summary").click()
    page.fill("input[name=year_to]", "2000")
    page.click("button:has-text('Search')")
    expect(page.locator(".know-results > li")).to_have_count(1)
    expect(page.locator(".know-chosen")).to_contain_text("Up to 2000")
    page.locator(".know-result h3 a").click()
    target = page.locator(".know-block:target")
    expect(target).to_contain_text("prevents a second heart attack")
    expect(target).to_be_in_viewport()
    assert target.evaluate("block => getComputedStyle(block).backgroundColor") != "rgba(0, 0, 0, 0)"
    page.go_back()
    page.locator(".know-chosen a").click()
    expect(page.locator(".know-results > li")).to_have_count(2)


def test_a_question_is_answered_and_its_numbers_lead_to_what_was_said(page, paper):
    page.goto(SEARCH)
    page.fill("#know-q", QUESTION)
    page.click("button:has-text('Ask')")
    expect(page.locator(".know-sentences > li").first).to_contain_text("second heart attack")
    expect(page.locator(".know-medical")).to_contain_text("no medical advice")
    page.locator(".know-sentences .know-cite").first.click()
    expect(page.locator(".know-block:target")).to_contain_text("second heart attack")
    page.go_back()
    page.fill("#know-comment", "It says what the trial found.")
    page.click("button:has-text('Helpful') >> nth=0")
    expect(page.locator("#feedback")).to_contain_text("You said: Helpful")


def test_papers_are_graded_by_keyboard(page, paper):
    query = JudgedQuery.objects.create(text="aspirin")
    page.goto(f"/admin/knowledge/judgedquery/{query.pk}/judge/")
    page.locator(f"input[name=grade-{paper.pk}][value='']").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("1 grade changed.")
    assert query.judgements.get().grade == 2


def test_all_of_it_works_without_javascript(chromium, page, paper):
    page.goto(SEARCH)
    base, cookies = page.url.removesuffix(SEARCH), page.context.cookies()
    with chromium.new_context(base_url=base, java_script_enabled=False) as context:
        context.add_cookies(cookies)
        plain = context.new_page()
        plain.goto(SEARCH)
        plain.fill("#know-q", "aspirin")
        plain.click("button:has-text('Search')")
        expect(plain.locator(".know-results > li")).to_have_count(1)
        plain.fill("#know-q", QUESTION)
        plain.click("button:has-text('Ask')")
        expect(plain.locator(".know-sentences > li").first).to_be_visible()
        plain.goto("/admin/knowledge/statistics/")
        expect(plain.locator(".know-plot svg").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_the_screen_and_are_accessible(page, paper, width, scheme):
    operator = User.objects.get(username="operator")
    answered = ask(QUESTION, by=operator)
    refused = ask(f"Who won {LONG}?", by=operator)
    Paper.objects.filter(pk=paper.pk).update(is_retracted=True)
    waiting = Question.objects.create(text=f"Why {LONG}?", asked_by=operator)
    shelve(f"Another {LONG}", "Aspirin.", is_retracted=True)
    source = Source.objects.create(name="PubMed", connector="pubmed", problem=LONG)
    Harvest.objects.create(
        run_id="01a203b0-1710-73b2-b181-d0bcb6a8b0b8", topic=Topic.objects.get(), source=source, query={},
        state="failed", problem=f"No answer from {LONG}",
    )  # fmt: skip
    query = JudgedQuery.objects.create(text=f"aspirin {LONG}", expected_terms=["aspirin", LONG])
    judging.judge(query, {paper.pk: 2}, by=operator)
    kept = [evaluation.evaluate(mode=Mode.SPARSE).pk for _ in range(3)]
    Evaluation.objects.filter(pk=kept[0]).update(at=timezone.now() - timedelta(days=3), mode="hybrid")
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    for path in (
        "search/", "search/?q=aspirin&retracted=include&year_to=2030&type=x", f"search/?q=aspirin+{LONG}&retracted=include",
        f"paper/{paper.pk}/read/?q=aspirin", f"question/{answered.pk}/change/", f"question/{refused.pk}/change/",
        f"question/{waiting.pk}/change/", "question/", "statistics/", "evaluation/", "evaluation/?mode=sparse",
        f"evaluation/{kept[1]}/change/", f"judgedquery/{query.pk}/judge/", "judgedquery/",
    ):  # fmt: skip
        page.goto(f"/admin/knowledge/{path}")
        page.evaluate("() => document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
        assert width_over(page) <= 0, path
        assert clipped(page) == [], path
        if page.locator(".jobs-card").count():
            assert problems(page, ".jobs-card") == [], path
    page.goto("/admin/")
    assert width_over(page) <= 0


def width_over(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def clipped(page: Page) -> list[str]:
    """Parts of our cards whose text reaches beyond the card, unless they scroll."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll(".jobs-card")].flatMap(card => {
                const edge = card.getBoundingClientRect().right + 1;
                return [...card.querySelectorAll("p, a, span, li, h2, h3, td, th, dd, small")]
                    .filter(one => one.getBoundingClientRect().width > 1
                        && one.getBoundingClientRect().right > edge
                        && !one.closest(".know-scroll, .jobs-scroll, pre, .know-spoken, svg"))
                    .map(one => one.className + ": " + one.textContent.slice(0, 60));
            })"""
        )
    )


def problems(page: Page, part: str) -> list[str]:
    """What axe-core complains of in our part of the page."""
    found = Axe().run(page, context=part)
    return [
        f"{one['id']}: {[node['html'][:150] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
    ]
