"""Files become text, whatever their encoding; what cannot be read says why, and breaks nothing."""

import contextlib
import json
import signal
import threading
import time

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge import reading
from knowledge.reader_process import Limits
from knowledge.readers import (
    AnotherFormat,
    ReadingStopped,
    TooMuch,
    UnknownFormat,
    UnreadableFile,
    characters,
    get,
    kinds,
    reader_for,
)
from knowledge.readers.html import text_of
from knowledge.tests import pdf_files
from knowledge.tests.pdf_files import pdf


def read(name, content):
    """In this process, as fast as tests should be."""
    book = reader_for(name, content).open(content)
    return "\n\n".join(characters.clean(page) for page in book.pages)


# Which format


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("notes.txt", b"Hello.", "txt"),
        ("README", b"Hello.", "txt"),
        ("README.MD", b"# Hello", "md"),
        ("page.htm", b"<p>Hello", "html"),
        ("page", b"\xef\xbb\xbf  <!-- saved -->\n<!DOCTYPE html><p>Hello", "html"),
        ("Leaflet.PDF", pdf(["Hello."]), "pdf"),
        ("leaflet", pdf(["Hello."]), "pdf"),
    ],
)
def test_a_format_is_told_by_name_and_content(name, content, kind):
    assert reader_for(name, content).kind == kind


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("leaflet.pdf", b"Hello.", "is no PDF, though its name says so"),
        ("leaflet.pdf", b"<html>Not found</html>", "is HTML, not PDF as its name says"),
        (
            "leaflet.txt",
            pdf(["Hello."]),
            "is PDF, not plain text as its name says: give it a name that ends with .pdf",
        ),
        ("notes.txt", b"<!doctype html><p>Hello", "is HTML, not plain text"),
        ("notes.txt", bytes(range(256)) * 4, "is no text"),
        ("picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "is no text"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused_with_the_reason(name, content, reason):
    with pytest.raises(AnotherFormat, match=f"“{name}” {reason}"):
        reader_for(name, content)


@pytest.mark.parametrize("name", ["report.docx", "archive.tar.gz", "x.exe"])
def test_an_unknown_format_says_which_are_known(name):
    with pytest.raises(UnknownFormat, match=r"These can: \.htm, \.html, \.markdown, \.md, \.pdf"):
        reader_for(name, b"PK\x03\x04")


# Text


@pytest.mark.parametrize(
    "content",
    [
        "Größe: 5 µg — “gut”.".encode(encoding)
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")
    ]
    + [b"\xff\xfe" + "Größe: 5 µg — “gut”.".encode("utf-16-le")],
)
def test_text_is_read_in_every_usual_encoding(content):
    assert read("a.txt", content) == "Größe: 5 µg — “gut”."


def test_form_feeds_begin_pages():
    found = reading.read("txt", b"One.\fTwo.\f\fFour.")
    assert found.text == "One.\n\nTwo.\n\n\n\nFour."
    assert found.pages == [0, 6, 12, 14]
    assert found.empty_pages == [3]
    assert found.text[found.pages[3] :] == "Four."


def test_line_breaks_are_of_one_kind_and_invisible_characters_are_gone():
    assert read("a.txt", "A\x07b\u00adc \r\nd\r\n\r\n\r\n\r\ne\ufeff\x85f".encode()) == "Abc\nd\n\ne\nf"


@pytest.mark.parametrize("content", [b" \n\t ", b"\xef\xbb\xbf"])
def test_an_empty_file_says_so(content):
    with pytest.raises(UnreadableFile, match="It is empty"):
        read("a.txt", content)


# HTML and Markdown


def test_scripts_styles_and_navigation_are_no_text():
    page = """<!doctype html><html lang="de-AT"><head><title>Über &amp; uns</title><style>p{}</style></head><body>
    <nav>Home</nav><script>alert(1)</script><h1>Heading</h1><p onclick="x()">Some <b>bold</b>
    text&nbsp;here.<br>Next <a href="javascript:x">line</a>.<iframe>frame</iframe><template>t</template>
    <ul><li>one<li>two</ul><table><tr><th>A<th>B<tr><td>1<td>2</table><img src=x onerror=alert(2)></body></html>"""
    book = get("html").open(page.encode())
    (text,) = book.pages
    assert text.split("\n") == [
        "Heading", "", "Some bold text here.", "Next line.", "", "one", "two", "", "A\tB", "1\t2",
    ]  # fmt: skip
    assert (book.title, book.language) == ("Über & uns", "de")


def test_exponents_stay_exponents():
    assert text_of("10<sup>9</sup>/l, H<sub>2</sub>O, the 1<sup>st</sup>") == "10^9/l, H2O, the 1^st"


@pytest.mark.parametrize(
    ("declared", "encoding"), [("iso-8859-2", "iso-8859-2"), ("latin1", "cp1252"), ("nonsense", "utf-8")]
)
def test_a_page_is_read_as_it_declares(declared, encoding):
    word = "€5" if encoding == "cp1252" else "Größe"
    page = f'<meta charset="{declared}"><p>{word}</p>'.encode(encoding)
    assert read("a.html", page) == word


def test_markup_alone_is_no_text():
    with pytest.raises(UnreadableFile, match="no text but for its markup"):
        read("a.html", b"<html><script>all()</script></html>")


def test_markdown_is_read_as_it_is_shown():
    source = b"---\ntitle: 'The *title*'\nlang: en-GB\n---\n# Heading\n\nSome **bold** [link](http://x).<script>x</script>\n\n- one\n- two\n"
    book = get("md").open(source)
    assert list(book.pages) == ["Heading\n\nSome bold link.\n\none\ntwo"]
    assert (book.title, book.language) == ("The title", "en")


def test_the_first_heading_is_the_title():
    assert get("md").open(b"Intro.\n\n# The `heading` #\n\nText.").title == "The heading"
    assert get("md").open(b"The heading\n===\n\nText.").title == "The heading"
    assert get("md").open(b"Text alone.").title == ""


# PDF


def test_a_pdf_is_read_page_by_page():
    found = reading.read(
        "pdf", pdf(["One (of three).\nInflam-\nmation.", "", "Größe."], title="A leaflet", language="en-US")
    )
    assert found == reading.Reading(
        title="A leaflet",
        language="en",
        text="One (of three).\nInflammation.\n\n\n\nGröße.",
        pages=[0, 31, 33],
        empty_pages=[2],
    )


@pytest.mark.parametrize("title", ["Microsoft Word - draft7.doc", "untitled", "x.tex", "p1"])
def test_the_name_of_another_file_is_no_title(title):
    assert get("pdf").open(pdf(["Text."], title=title)).title == ""


def test_a_file_that_anybody_may_open_is_read_though_it_is_encrypted():
    assert read("a.pdf", pdf_files.locked(pdf(["Open."]), "")) == "Open."


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pdf_files.locked(pdf(["Secret."]), "word"), "locked with a password"),
        (pdf_files.scan(), "It has no text: a scan, its page is a picture"),
        (pdf_files.scan(12), "It has no text: a scan, its 12 pages are pictures"),
        (pdf(["Hello."] * 5)[:900], "It is damaged: "),
        (b"%PDF-1.4\n" + b"\x00\xff" * 1000, "It is damaged: "),
        (pdf([]), "It is damaged: it has no pages"),
    ],
)
def test_a_pdf_without_text_says_why(content, reason):
    with pytest.raises(UnreadableFile, match=reason):
        reading.read("pdf", content)


# What is made to harm


def confined(**limits):
    return Limits(**({"memory": 400 << 20, "seconds": 20, "pages": 100, "characters": 100_000} | limits))


@pytest.mark.parametrize(
    "made", ["bomb", "bomb_in_bomb", "many_pages", "wide_tree", "ring", "deep_array", "busy_page"]
)
def test_a_hostile_pdf_is_refused_in_bounded_time_and_memory(made):
    content = getattr(pdf_files, made)()
    started = time.monotonic()
    with pytest.raises(UnreadableFile):
        reading.read("pdf", content, allowed=confined())
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("html", b"<div>" * 300_000 + b"Deep."),
        ("html", b"<" * 300_000),
        ("html", b"<!--" * 100_000),
        ("html", b"&" * 500_000),
        ("html", b"<p " + b"a" * 2_000_000),
        ("md", b"[" * 100_000),
        ("md", b"> " * 50_000 + b"x"),
        ("md", b"*a_" * 50_000),
        ("md", b"---\n" + b"title:" * 50_000),
    ],
)
def test_hostile_markup_is_read_or_refused_in_bounded_time(kind, content):
    started = time.monotonic()
    with contextlib.suppress(UnreadableFile):
        reading.read(kind, content, allowed=confined(seconds=5, characters=3_000_000))
    assert time.monotonic() - started < 20


def test_a_file_with_too_many_pages_is_refused():
    with pytest.raises(TooMuch, match="It has 101 pages; 100 are read at most"):
        reading.read("pdf", pdf(["x"] * 101), allowed=confined())


def test_a_file_with_too_much_text_is_refused():
    with pytest.raises(TooMuch, match="more text than the 100,000 characters"):
        reading.read("txt", b"word " * 30_000, allowed=confined())


def test_too_little_memory_is_told_and_the_worker_lives():
    before = psutil.Process().memory_info().rss
    with pytest.raises(UnreadableFile):
        reading.read("pdf", pdf_files.bomb_in_bomb(), allowed=confined(memory=150 << 20))
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_processor_time_is_limited():
    with pytest.raises(TooMuch, match="more than the 1 seconds"):
        reading.read("pdf", pdf_files.busy_page(400_000), allowed=confined(seconds=1))


def test_a_reader_that_was_killed_is_tried_again_later():
    def kill(page, count):
        for child in psutil.Process().children():
            if "knowledge.reader_process" in child.cmdline():
                child.send_signal(signal.SIGKILL)

    with pytest.raises(ReadingStopped, match="SIGKILL"):
        reading.read("pdf", pdf_files.busy_page(), tell=kill)


def test_whoever_watches_can_end_the_reading_at_any_time():
    class Enough(Exception):
        pass

    seen = []

    def watch(page, count):
        seen.append((page, count))
        if len(seen) > 3:
            raise Enough

    started = time.monotonic()
    with pytest.raises(Enough):
        reading.read("pdf", pdf_files.busy_page(), tell=watch)
    assert time.monotonic() - started < 5
    assert not [
        child for child in psutil.Process().children() if "knowledge.reader_process" in child.cmdline()
    ]


def test_pages_are_told_as_they_are_read():
    seen = []
    reading.read("pdf", pdf(["A."] * 5), tell=lambda page, count: seen.append((page, count)))
    assert seen[0] == (0, None)
    assert seen == sorted(seen, key=lambda pair: pair[0])
    assert all(count in (None, 5) for _, count in seen)


def test_the_reader_knows_none_of_our_secrets(monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "something to hide")
    seen = []

    def look(page, count):
        for child in psutil.Process().children():
            if "knowledge.reader_process" in child.cmdline():
                seen.append(child.environ())
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reading.read("pdf", pdf_files.busy_page(), tell=look)
    assert set(seen[0]) == {"PATH", "LC_ALL", "OMP_NUM_THREADS"}


def test_many_files_can_be_read_at_once():
    found = {}

    def go(number):
        found[number] = reading.read("txt", f"Text {number}.".encode()).text

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert found == {number: f"Text {number}." for number in range(4)}


# Whatever comes


@given(kind=st.sampled_from(["txt", "md", "html"]), content=st.binary(max_size=300))
def test_any_bytes_are_text_or_refused(kind, content):
    assert_read_or_refused(kind, content)


@given(
    start=st.integers(0, 1200),
    length=st.integers(0, 60),
    junk=st.binary(max_size=30),
)
@settings(max_examples=150)
def test_a_pdf_with_any_piece_replaced_is_text_or_refused(start, length, junk):
    content = pdf(["One two.", "Three."], title="Title", compress=False)
    assert_read_or_refused("pdf", content[:start] + junk + content[start + length :])


@given(text=st.text(max_size=200))
def test_cleaning_twice_is_cleaning_once_and_loses_no_word(text):
    once = characters.clean(text)
    assert characters.clean(once) == once
    assert once.encode().decode() == once
    assert "\x00" not in once
    printable = [char for char in text if char.isprintable() and not char.isspace()]
    assert [char for char in once if char.isprintable() and not char.isspace()] == printable


@given(
    pages=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\f"), max_size=40), min_size=2, max_size=5
    )
)
@settings(max_examples=60)
def test_pages_begin_where_their_text_does(pages):
    cleaned = [characters.clean(page) for page in pages]
    book = {"title": "", "language": "", "page_count": len(pages)}
    if not any(cleaned):
        return
    found = reading._put_together(book, cleaned)
    ends = [start - 2 for start in found.pages[1:]] + [len(found.text)]
    assert [found.text[start:end] for start, end in zip(found.pages, ends, strict=True)] == cleaned


def assert_read_or_refused(kind, content):
    try:
        book = get(kind).open(content)
        pages = [characters.clean(page) for page in book.pages]
    except UnreadableFile as error:
        assert str(error).endswith((".", "first."))
        return
    assert any(pages) or kind != "pdf"
    assert json.dumps([book.title, book.language, *pages]).encode()
    for text in (book.title, *pages):
        assert "\x00" not in text
        text.encode()


def test_there_is_a_reader_for_each_format():
    assert kinds() == ["html", "md", "pdf", "txt"]
