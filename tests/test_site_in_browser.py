"""The built-in blog in a real browser: accessible by axe-core, light and dark, on a desktop and on a phone, without scripts."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connections
from django.utils import timezone
from playwright.sync_api import Page

from publishing.tests.factories import put_on_site
from tests.browser import CHROMIUM, is_installed

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not is_installed(), reason=f"there is no Chromium at {CHROMIUM}"),
]

VIEWPORTS = {"desktop": (1280, 900), "phone": (390, 844)}
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
BODY = f"""
<h1>A heading that is too high</h1><p>Some text with <a href="https://example.org/">a link</a>, <code>code</code>,
<mark>marked</mark>, <kbd>Ctrl</kbd> and anextraordinarilylongword{"andevenlonger" * 20}.</p>
<main><nav><p>Parts of another page</p></nav></main>
<figure><blockquote cite="https://example.org/"><p>Quoted</p></blockquote><figcaption><a href="https://example.org/">Source</a></figcaption></figure>
<table><caption>Levels</caption><thead><tr>{"<th>Long name of a column</th>" * 12}</tr></thead>
<tbody><tr>{"<td>1,234,567</td>" * 12}</tr></tbody></table>
<pre><code>{"a_long_line_of_code(" * 20}</code></pre>
<p><img src="{PIXEL}"><img src="{PIXEL}" alt="A picture"></p>
<ul><li>One</li></ul><dl><dt>Term</dt><dd>Meaning</dd></dl><details><summary>More</summary><p>Hidden</p></details>
<h2>Sources</h2><ol><li><a href="https://example.org/">First</a>, Example, <time datetime="2026-11-19">19 November 2026</time></li></ol>
"""
PAGES = {
    "front": "/blog/",
    "post": "/blog/posts/everything/",
    "right-to-left": "/blog/posts/rtl/",
    "tag": "/blog/tags/maps/",
    "month": "",
    "archive": "/blog/archive/",
    "topics": "/blog/topics/",
    "not found": "/blog/nothing/",
}


@pytest.fixture
def posts() -> None:
    now = timezone.now()
    for number in range(12):
        put_on_site(
            at=now - timedelta(days=40 * number + 5), title=f"Number {number}", tags=["maps", "tides"]
        )
    put_on_site(
        slug="rtl", title="مرحبا بالعالم", language="ar", body_html="<p>تحمل الأنهار</p>", tags=["أنهار"]
    )
    put_on_site(
        slug="everything", title="Everything & <more> 🎉", tags=["maps", "a/b & c"], body_html=BODY, at=now
    )


@pytest.fixture(
    params=[(scheme, viewport) for scheme in ("light", "dark") for viewport in VIEWPORTS], ids="-".join
)
def reader(request, chromium, live_server, posts) -> Iterator[Page]:
    """A page of somebody who has never been here. What the console complains about fails the test."""
    scheme, viewport = request.param
    width, height = VIEWPORTS[viewport]
    complaints: list[str] = []
    options = {
        "color_scheme": scheme,
        "viewport": {"width": width, "height": height},
        "reduced_motion": "reduce",
    }
    with chromium.new_context(base_url=live_server.url, **options) as context:
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    connections.close_all()  # those that Django opened for this thread beside Playwright's event loop
    assert [text for text in complaints if "404 (Not Found)" not in text] == []


def visit_all(page: Page, check: Callable[[str], None]) -> None:
    month = f"/blog/archive/{timezone.localtime():%Y}/{timezone.localtime().month}/"
    for name, path in PAGES.items():
        answer = page.goto(path or month)
        assert answer is not None
        assert answer.status == (404 if name == "not found" else 200), name
        check(name)


def test_axe_finds_nothing_to_complain_of(reader):
    def check(name: str) -> None:
        found = Axe().run(reader, options={"preload": False})
        assert found.violations_count == 0, f"{name}: {found.generate_report()}"
        assert len(found.response["passes"]) > 15

    visit_all(reader, check)


def test_every_page_has_what_readers_and_search_engines_need(reader):
    def check(name: str) -> None:
        assert reader.locator("h1").count() == 1, name
        assert reader.title(), name
        assert reader.locator("html").get_attribute("lang"), name
        assert reader.locator("meta[name=description]").get_attribute("content"), name
        assert "width=device-width" in (reader.locator("meta[name=viewport]").get_attribute("content") or "")
        assert reader.locator("img:not([alt])").count() == 0, name
        assert reader.locator("main, body > header, body > footer").count() == 3, name
        assert reader.locator("script:not([type='application/ld+json'])").count() == 0, name
        assert reader.locator("link[rel=alternate][type='application/atom+xml']").count() >= 1, name
        wide = reader.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} pixels too wide"

    visit_all(reader, check)


def test_wide_parts_scroll_in_their_boxes_also_by_keyboard(reader):
    reader.goto("/blog/posts/everything/")
    for selector in (".scroll", "pre"):
        box = reader.locator(selector).first
        assert box.evaluate("box => box.scrollWidth > box.clientWidth"), selector
        box.focus()
        reader.keyboard.press("ArrowRight")
        reader.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())


def test_the_keyboard_begins_with_a_way_to_the_text(reader):
    reader.goto("/blog/posts/everything/")
    reader.keyboard.press("Tab")
    skip = reader.locator(".skip")
    assert skip.evaluate("link => link === document.activeElement && link.getBoundingClientRect().top >= 0")
    reader.keyboard.press("Enter")
    assert reader.evaluate("document.activeElement.id") == "content"


def test_nothing_is_loaded_from_elsewhere(reader):
    asked: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    visit_all(reader, lambda name: None)
    origin = reader.url.partition("/blog/")[0]
    assert [url for url in asked if not url.startswith((origin, "data:"))] == []
