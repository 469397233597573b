"""The contract of every writer, whatever writers there are."""

import json
import re
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from jobs.errors import PermanentError, TransientError
from publishing import writers
from publishing.feeds.sanitise import clean_html
from publishing.tests.articles import Page, articles
from publishing.writers import (
    Brief,
    Length,
    Step,
    Unfinished,
    UnknownWriter,
    Usage,
    Writer,
    WriterError,
    WriterRefused,
    WriterUnavailable,
)
from publishing.writers.base import KEYWORDS
from publishing.writers.digest import DigestWriter
from publishing.writers.registry import _writers

ROOT = Path(__file__).resolve().parents[2]

every_kind = pytest.mark.parametrize("kind", writers.kinds())
usable_kinds = [kind for kind in writers.kinds() if not writers.get(kind).why_not()]


@every_kind
def test_a_writer_has_a_stable_name_and_a_label(kind):
    writer = writers.get(kind)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", kind) and writer.kind == kind
    assert writer.label and (kind, writer.label) in writers.choices()
    assert type(writer).__doc__


def test_the_default_writer_is_there_without_any_key():
    assert writers.get(writers.DEFAULT_KIND).why_not() == ""


@pytest.mark.parametrize("kind", usable_kinds)
def test_each_step_can_be_stored_and_the_next_one_made_of_what_was_stored(kind):
    writer = writers.get(kind)
    adapter = TypeAdapter(Brief)
    brief = Brief(items=articles(20), length=Length.SHORT, keyword="orchard")
    stored = adapter.validate_json(adapter.dump_json(brief))
    assert stored == brief
    outline = writer.outline(stored)
    body = writer.body(stored, json.loads(json.dumps(outline.result)))
    meta = writer.meta(stored, json.loads(json.dumps(body.result)))
    assert json.loads(json.dumps(meta.result)) == meta.result
    assert all(isinstance(step.usage, Usage) for step in (outline, body, meta))

    html = body.result["html"]
    assert clean_html(html) == html
    assert {level for level, _ in Page(html).headings} <= {"h2", "h3"}
    assert set(body.result["item_ids"]) <= {item.id for item in brief.items}
    assert 0 < len(meta.result["title"]) <= 500
    assert 0 < len(meta.result["meta_title"]) <= 70
    assert 0 < len(meta.result["meta_description"]) <= 160
    assert 0 < len(meta.result["excerpt"]) <= 300
    keywords = [keyword.casefold() for keyword in meta.result["keywords"]]
    assert KEYWORDS[0] <= len(set(keywords)) == len(keywords) <= KEYWORDS[1]


def test_errors_say_whether_to_try_again_and_what_was_paid():
    paid = Usage(model="some-model", tokens_in=12, tokens_out=4000)
    later = WriterUnavailable("Busy.", retry_after=20, usage=paid)
    assert later.retry_after == 20 and later.usage == paid and str(later) == "Busy."
    assert issubclass(WriterUnavailable, TransientError)
    for error in (WriterRefused, Unfinished):
        assert issubclass(error, PermanentError) and not issubclass(error, TransientError)
        assert error("No.").usage is None and error("No.", usage=paid).usage == paid
    assert all(issubclass(error, WriterError) for error in (WriterUnavailable, WriterRefused, Unfinished))


def test_unknown_writers_are_named_with_those_that_are_known():
    with pytest.raises(UnknownWriter, match=r"'monkey'.*digest"):
        writers.get("monkey")


def test_the_registry_refuses_what_is_unfinished_or_taken():
    class Idle(Writer):
        kind, label = "idle", "Idle"

        def outline(self, brief):
            return Step({})

    with pytest.raises(TypeError, match=r"body\(\), meta\(\)"):
        writers.register(Idle)

    with pytest.raises(ValueError, match="two writers named 'digest'"):
        writers.register(DigestWriter)


def test_the_page_on_writers_works_as_written(monkeypatch, tmp_path):
    """One file in the package is all: it is found, listed and writes."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/writers.md").read_text(), re.DOTALL)
    (tmp_path / "titles.py").write_text(code)
    monkeypatch.setattr(writers, "__path__", [*writers.__path__, str(tmp_path)])
    try:
        writers.load()
        assert ("titles", "List of titles") in writers.choices()
        writer, brief = writers.get("titles"), Brief(items=articles(3), language="en")
        body = writer.body(brief, writer.outline(brief).result).result
        assert [text for _, text in Page(body["html"]).links] == [item.title for item in brief.items]
        assert writer.meta(brief, body).result["title"] == "3 titles"
    finally:
        _writers.pop("titles", None)
        sys.modules.pop("publishing.writers.titles", None)
